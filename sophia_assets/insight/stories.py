"""A story: something worth an executive's time, with its evidence, its effect in money and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

Category = Literal["change", "risk", "opportunity"]

UNASSIGNED = "unassigned"

#: The words of Intelligence Community Directive 203, each with its fixed range of probability.
LIKELIHOOD_SCALE: dict[str, tuple[float, float]] = {
    "almost no chance": (0.01, 0.05),
    "very unlikely": (0.05, 0.20),
    "unlikely": (0.20, 0.45),
    "roughly even chance": (0.45, 0.55),
    "likely": (0.55, 0.80),
    "very likely": (0.80, 0.95),
    "almost certain": (0.95, 0.99),
}


def likelihood_word(probability: float) -> str:
    """The ICD 203 word whose range holds `probability` (0..1); the ends of the scale take what lies beyond."""
    for word, (_, high) in LIKELIHOOD_SCALE.items():
        if probability < high:
            return word
    return "almost certain"


@dataclass(frozen=True)
class SuggestedAction:
    """What to do: a verb phrase without a full stop, an owner's name or `unassigned`, and a business day."""

    verb: str
    owner: str
    due: date


@dataclass(frozen=True)
class Story:
    """One change, risk or opportunity about one subject.

    `fact_ids` is its evidence, the decisive fact first. `effect` is in US dollars on one scale: a
    year of recurring revenue, or the amount once, whichever the subject has. `likelihood` is a word
    of `LIKELIHOOD_SCALE`, for risks only. `also` are the kinds of stories about the same subject that this one tells
    with its own.
    """

    id: str
    kind: str
    category: Category
    subject_type: str
    subject_id: str
    subject_name: str
    fact_ids: tuple[str, ...]
    effect: float
    action: SuggestedAction
    likelihood: str | None = None
    also: tuple[str, ...] = ()


def story_as_json(story: Story) -> dict[str, Any]:
    """The public JSON form of a story; `likelihood_range` is null where there is no likelihood."""
    data = asdict(story)
    data["fact_ids"], data["also"] = list(story.fact_ids), list(story.also)
    data["effect"] = round(story.effect, 2)
    data["action"] = {"verb": story.action.verb, "owner": story.action.owner, "due": story.action.due.isoformat()}
    bounds = LIKELIHOOD_SCALE.get(story.likelihood or "")
    data["likelihood_range"] = list(bounds) if bounds else None
    return data
