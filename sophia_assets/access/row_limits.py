"""Row limits as operators write them, `owner=Ada Smith`: names become the ids by which rows are limited.

Belongs here: looking up what `marts.accounts` knows. Does not belong here: holding rows back (`policies`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sophia_assets.access.policies import ACCOUNTS
from sophia_assets.access.principal import EVERY_ROW, AccountAttribute, RowScope
from sophia_assets.access.users import ATTRIBUTES
from sophia_assets.errors import ConfigurationError

if TYPE_CHECKING:
    from sophia_assets.warehouse.interface import Warehouse

_NAMED_BY = {"account": ("account_id", "account"), "owner": ("owner_id", "owner")}
_SHOWN = 5
_HAS_ACCOUNTS = (
    "SELECT 1 AS found FROM information_schema.tables "
    "WHERE LOWER(table_schema) = 'marts' AND LOWER(table_name) = 'accounts'"
)


def resolved_rows(limits: Sequence[str], warehouse: Warehouse) -> RowScope:
    """The limits that texts such as `owner=Ada Smith` name; of one attribute, any of the values.

    Raises ConfigurationError for an unknown attribute or value, with what is near it, and where there are no accounts.
    """
    allowed: dict[AccountAttribute, set[str]] = {}
    for limit in limits:
        name, _, value = limit.partition("=")
        attribute = next((known for known in ATTRIBUTES if known == name.strip().lower()), None)
        if attribute is None or not value.strip():
            raise ConfigurationError(
                f"--only is {limit!r}", remedy=f"Write one of {', '.join(f'{known}=...' for known in ATTRIBUTES)}"
            )
        allowed.setdefault(attribute, set()).add(value.strip())
    if not allowed:
        return EVERY_ROW
    return RowScope(
        {
            attribute: frozenset(_id_of(attribute, value, known) for value in values)
            for attribute, values in allowed.items()
            for known in [_known(attribute, warehouse)]
        }
    )


def names_of(rows: RowScope, warehouse: Warehouse) -> Mapping[str, Mapping[str, str]]:
    """Per attribute, the names of the ids that rows are limited to; an id that is gone stands for itself."""
    told: dict[str, dict[str, str]] = {}
    for attribute, values in rows.allowed.items():
        known = _known(attribute, warehouse)
        told[attribute] = {value: known.get(value, value) for value in sorted(values)}
    return told


def _known(attribute: str, warehouse: Warehouse) -> dict[str, str]:
    """Every id that accounts have for an attribute, with its name."""
    id_column, name_column = _NAMED_BY.get(attribute, (attribute, attribute))
    query = (
        f"SELECT {id_column} AS id, MIN({name_column}) AS name FROM {ACCOUNTS} "
        f"WHERE {id_column} IS NOT NULL GROUP BY {id_column} ORDER BY 1"
    )
    with warehouse.session():
        if not warehouse.query(_HAS_ACCOUNTS).num_rows:
            raise ConfigurationError(
                "there are no accounts yet, so that rows cannot be limited", remedy="Run `sophia run` first"
            )
        rows = warehouse.query(query).to_pylist()
    return {str(row["id"]): str(row["name"] or row["id"]) for row in rows}


def _id_of(attribute: str, value: str, known: Mapping[str, str]) -> str:
    if value in known:
        return value
    found = [id_ for id_, name in known.items() if name.casefold() == value.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(
            f"{len(found)} have the {attribute} {value!r}",
            remedy=f"Name it by its id: {', '.join(f'{attribute}={id_}' for id_ in found[:_SHOWN])}",
        )
    raise ConfigurationError(f"no account has the {attribute} {value!r}", remedy=_near(value, known))


def _near(value: str, known: Mapping[str, str]) -> str:
    from rapidfuzz import process

    names = list(dict.fromkeys(known.values()))
    near = [name for name, _, _ in process.extract(value, names, limit=3, score_cutoff=60)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"There are {', '.join(names[:_SHOWN])}{more}"
