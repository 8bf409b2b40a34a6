"""Finds what is worth telling: changes, risks and opportunities that are material for this company's size.

Detectors look for stories about someone, themes for what many show, headlines for the company's own figures. What is
known of one account is one story, and stories come by what they are worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from sophia_assets.insight.detectors import DETECTORS
from sophia_assets.insight.headlines import headline_changes
from sophia_assets.insight.materiality import CompanySize
from sophia_assets.insight.search import ACTIONS, Search
from sophia_assets.insight.stories import Story
from sophia_assets.insight.themes import THEMES
from sophia_assets.metrics.facts import FactSet

__all__ = ["ACTIONS", "find_stories"]

#: Facts of a debt that another story about the same account takes over: how much, and since when.
_FACTS_OF_A_DEBT = 2


def find_stories(facts: FactSet, briefing_date: date, owners: Mapping[str, str] | None = None) -> list[Story]:
    """All material stories of a day, by effect, largest first, at most one for each subject.

    `owners` maps `subject_type:subject_id` to the name of the responsible person, where one is known.
    Changes of company-wide metrics come as stories of kind `metric_change`; unchanged ones do not.
    """
    search = Search(facts, briefing_date, CompanySize.of(facts), owners or {})
    found = _joined(story for detector in DETECTORS for story in detector(search))
    found += [story for theme in THEMES for story in theme(search, found)]
    found += headline_changes(facts, briefing_date, search.size)
    return _joined(found)


def _joined(stories: Iterable[Story]) -> list[Story]:
    """The stories by effect, ties by id, one for each subject: a debt becomes part of what else an account has."""
    best: dict[tuple[str, str], Story] = {}
    for story in sorted(stories, key=lambda story: (story.kind == "overdue_payment", -story.effect, story.id)):
        key = (story.subject_type, story.subject_id)
        if key not in best:
            best[key] = story
        elif story.kind == "overdue_payment":
            best[key] = _with_debt(best[key], story)
    return sorted(best.values(), key=lambda story: (-story.effect, story.id))


def _with_debt(story: Story, debt: Story) -> Story:
    """A story about an account that owes money, too: both are at stake."""
    return replace(
        story,
        fact_ids=tuple(dict.fromkeys([*story.fact_ids, *debt.fact_ids[:_FACTS_OF_A_DEBT]])),
        effect=story.effect + debt.effect,
        also=(*story.also, debt.kind),
    )
