"""The roles of readers: which areas of the business each may see, and how closely held what they see may be.

Belongs here: the roles, and what of the facts each of them may see. Does not belong here: who has which role.

A metric says in the catalog which areas' people may see it and how closely it is held. A role sees a metric where it
has one of these areas and is cleared for its sensitivity; everything else, and every metric that the catalog does not
know, is denied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sophia_assets.errors import ConfigurationError
from sophia_assets.metrics.facts import FactSet

if TYPE_CHECKING:
    from sophia_assets.metrics.catalog.entries import AccessArea, Metric, Sensitivity

_RANKS: dict[Sensitivity, int] = {"internal": 1, "confidential": 2, "restricted": 3}


@dataclass(frozen=True)
class Role:
    """A kind of reader: `areas` of the business, and the highest sensitivity that it is cleared for within them."""

    name: str
    description: str
    areas: frozenset[AccessArea]
    clearance: Sensitivity


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role(
            "executive",
            "Leads the company and sees every area.",
            frozenset({"sales", "finance", "customer", "engineering", "product", "platform"}),
            "restricted",
        ),
        Role(
            "sales_leader", "Leads sales: deals, and what customers say.", frozenset({"sales", "customer"}), "internal"
        ),
        Role(
            "engineering_leader",
            "Leads the teams that build the product: delivery, bugs, and how the product is used.",
            frozenset({"engineering", "product"}),
            "internal",
        ),
        Role(
            "analyst",
            "Works with the figures of every area that are not closely held.",
            frozenset({"sales", "finance", "customer", "engineering", "product", "platform"}),
            "internal",
        ),
        Role("auditor", "Reviews how data is handled, not the business itself.", frozenset({"platform"}), "internal"),
    )
}
EXECUTIVE = "executive"


def role_named(name: str) -> Role:
    """The role of that name. Raises ConfigurationError for an unknown one."""
    try:
        return ROLES[name]
    except KeyError:
        raise ConfigurationError(f"there is no role {name!r}", remedy=f"Use one of {', '.join(ROLES)}") from None


def may_see(role: str, metric: Metric | str) -> bool:
    """Whether a role may see a metric, given whole or by its name; a name that the catalog does not know is denied.

    Raises ConfigurationError for an unknown role.
    """
    held = role_named(role)
    if isinstance(metric, str):
        from sophia_assets.metrics.catalog import load_catalog

        known = load_catalog().metrics.get(metric)
        if known is None:
            return False
        metric = known
    is_cleared = _RANKS[metric.sensitivity] <= _RANKS[held.clearance]
    return is_cleared and not held.areas.isdisjoint(metric.access)


def may_see_area(role: str, area: AccessArea) -> bool:
    """Whether a role may see an area at all. Raises ConfigurationError for an unknown role."""
    return area in role_named(role).areas


def visible_facts(role: str, facts: FactSet) -> FactSet:
    """The facts, and what is unknown, of the metrics that a role may see; how systems are served is no secret.

    Raises ConfigurationError for an unknown role.
    """
    seen, role = dict[str, bool](), role_named(role).name

    def sees(metric: str) -> bool:
        if metric not in seen:
            seen[metric] = may_see(role, metric)
        return seen[metric]

    return FactSet(
        (fact for fact in facts if sees(fact.metric)),
        (entry for entry in facts.unknown if sees(entry.metric)),
        facts.shares,
    )
