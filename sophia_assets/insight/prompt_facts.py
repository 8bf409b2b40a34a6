"""Which facts and stories a model is shown: what the sections need, what the stories rest on, then what matters most.

Belongs here: the choice and its order. Does not belong here: how a prompt reads (`prompting`), or how it is made
shorter (`compression`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sophia_assets.insight.slots import SLOT
from sophia_assets.insight.stories import Story
from sophia_assets.insight.writing import BriefingRequest, Draft
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.facts import Fact

MAX_FACTS = 100
MAX_STORIES = 20
#: So many of a ranking are leaders.
_LEADERS = 3
#: The areas that an executive reads about; the others are about the platform itself.
_AREAS = frozenset({"sales", "revenue", "customers", "voice", "delivery", "usage"})


@dataclass(frozen=True)
class Material:
    """What a model is shown, the most material first within each part.

    `required` holds the ids of the facts that sections need, `facts` all that are shown: those first, then the
    stories' evidence, then the rest. `passed_over` counts the facts and stories that were not chosen.
    """

    facts: tuple[Fact, ...]
    stories: tuple[Story, ...]
    required: frozenset[str]
    passed_over: tuple[int, int] = (0, 0)

    @property
    def needed(self) -> frozenset[str]:
        """The ids of the facts that a section needs or a story rests on."""
        return self.required.union(*(story.fact_ids for story in self.stories))


def slots_in(texts: Iterable[str], kind: str) -> dict[str, None]:
    """The ids of the facts or stories in texts' slots, in order of appearance."""
    return {match["id"]: None for text in texts for match in SLOT.finditer(text) if match["kind"] == kind}


def choose_material(request: BriefingRequest, plain: Draft) -> Material:
    """The facts and stories for the prompts of a briefing.

    `plain` is what the deterministic writer drafts of the request: the facts in it are those that the sections need.
    """
    sentences = [*plain.bottom_line, *(each for section in plain.sections for each in section.sentences)]
    told = {sentence.story_id for sentence in sentences if sentence.story_id}
    # Stories about someone say more than moves of metrics do.
    ranked = sorted(request.stories, key=lambda story: story.kind == "metric_change")
    stories = [story for place, story in enumerate(ranked) if story.id in told or place < MAX_STORIES]
    required = slots_in((sentence.text for sentence in sentences), "fact")
    evidence = dict.fromkeys(fact_id for story in stories for fact_id in story.fact_ids)
    needed = {fact_id: None for fact_id in [*required, *evidence] if fact_id in request.facts}
    more = heapq.nlargest(
        max(0, MAX_FACTS - len(needed)),
        ((weight, fact.id) for fact, weight in _weighed(request.facts) if fact.id not in needed),
    )
    chosen = [fact for fact in map(request.facts.get, [*needed, *(fact_id for _, fact_id in more)]) if fact]
    return Material(
        facts=tuple(chosen),
        stories=tuple(stories),
        required=frozenset(required),
        passed_over=(len(request.facts) - len(chosen), len(request.stories) - len(stories)),
    )


def _weighed(facts: Iterable[Fact]) -> Iterator[tuple[Fact, float]]:
    """The facts that a sentence may want beside those that sections need, each with how much it matters."""
    metrics = load_catalog().metrics
    for fact in facts:
        metric = metrics.get(fact.metric)
        # A key with a point is one of a series, which the charts show.
        if metric is None or metric.area not in _AREAS or "." in fact.period.key:
            continue
        move = min(abs(fact.change or 0.0), 1.0)
        if not fact.dimensions:
            yield fact, 3 + move + (2 if fact.target_display else 0)
        elif fact.rank is not None and fact.rank <= _LEADERS:
            yield fact, 1 / fact.rank + min(fact.share or 0.0, 1.0) + move
