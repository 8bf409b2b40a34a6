"""What every detector of stories gets, and what each kind of story is: its category and the step that it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from sophia_assets.insight.account_signs import AccountSigns
from sophia_assets.insight.materiality import CompanySize, entity_id, working_days_after
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.stories import UNASSIGNED, Category, Story, SuggestedAction, likelihood_word
from sophia_assets.metrics.facts import Fact, FactSet

#: What to do about each kind of story ({} is its subject), and within how many working days.
ACTIONS: dict[str, tuple[str, int]] = {
    "account_at_risk": ("Agree a recovery plan with {}", 5),
    "slipping_deal": ("Set a firm close date for {} or take it out of the forecast", 5),
    "stalled_stage": ("Review the deals waiting in {}", 5),
    "expansion": ("Thank {} and ask for a reference", 10),
    "churn": ("Ask {} what made it leave", 5),
    "competitor_pressure": ("Give the sales team an answer to {}", 10),
    "overdue_payment": ("Call {} about its overdue invoices", 3),
    "big_win": ("Hand {} over to customer success", 5),
    "rising_topic": ("Agree an answer to {} with the teams", 10),
    "bug_pile": ("Ask {} for a plan to fix its open bugs", 5),
    "falling_usage": ("Ask customers what keeps them from the product", 10),
}
CATEGORIES: dict[str, Category] = {
    "account_at_risk": "risk",
    "slipping_deal": "risk",
    "stalled_stage": "risk",
    "competitor_pressure": "risk",
    "overdue_payment": "risk",
    "churn": "change",
    "expansion": "opportunity",
    "big_win": "change",
    "rising_topic": "change",
    "bug_pile": "change",
    "falling_usage": "change",
}


@dataclass(frozen=True)
class Search:
    """What every detector gets. `owners` maps `subject_type:subject_id` to a person's name."""

    facts: FactSet
    date: date
    size: CompanySize
    owners: Mapping[str, str]

    @cached_property
    def signs(self) -> AccountSigns:
        """What all systems show of each account."""
        return AccountSigns(self.facts)

    def story(
        self,
        kind: str,
        subject_type: str,
        fact: Fact,
        effect: float,
        evidence: Sequence[Fact | None] = (),
        probability: float | None = None,
    ) -> Story:
        """A story about what `fact` is about, with `fact` first in its evidence; `effect` is in US dollars."""
        subject_id = fact.metric if subject_type == "metric" else entity_id(fact)
        name = fact.label if subject_type == "metric" else fact.subject or ""
        verb, days = ACTIONS[kind]
        return Story(
            id=f"{kind}.{subject_type}.{fact.metric if subject_type == 'metric' else _slug(fact)}",
            kind=kind,
            category=CATEGORIES[kind],
            subject_type=subject_type,
            subject_id=subject_id,
            subject_name=name,
            fact_ids=tuple(dict.fromkeys([fact.id, *(other.id for other in evidence if other)])),
            effect=abs(effect),
            action=SuggestedAction(
                verb=verb.format(safe_name(name)),
                owner=self.owners.get(f"{subject_type}:{subject_id}", UNASSIGNED),
                due=working_days_after(self.date, days),
            ),
            likelihood=None if probability is None else likelihood_word(probability),
        )


def _slug(fact: Fact) -> str:
    """The last part of a broken-down fact's id: safe characters, unique within its dimension."""
    dimension = next(iter(fact.dimensions), "")
    return fact.id.rpartition(f".{dimension}.")[2]
