"""Writes a briefing's draft from a prompt's facts and stories: honest, in slots, and never twice in the same words."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sophia_assets.sandbox.language import phrases, story_phrases
from sophia_assets.sandbox.language.prompt import Fact, Given, Story
from sophia_assets.sandbox.language.shapes import choose

_BOTTOM_LINE_WORDS = 40
_BODY_WORDS = 330
#: A name or a date is more than one word; this is what a slot counts for when words are limited.
_WORDS_OF_SLOT = {"due": 3, "period": 4, "previous_period": 5}
_WORDS_OF_NAME = 4
_SLOT = re.compile(r"\{\{(\w+)(?:\|(\w+))?\}\}")
#: Metrics that the sections on performance and customers tell anyway.
_TOLD_ELSEWHERE = frozenset({"bookings", "win_rate", "pipeline_value", "mrr", "satisfaction_score", "calls"})
_LEAST_SHARE_OF_LEADER = 10.0


@dataclass(frozen=True)
class Sentence:
    """A sentence with slots; `story` is the handle of the story that it tells, or empty."""

    text: str
    story: str = ""

    def as_json(self) -> dict[str, str]:
        """As the schema has it."""
        return {"text": self.text, "story": self.story}


class Drafter:
    """Drafts from one prompt. What it chooses depends on the prompt and on `seed` alone."""

    def __init__(self, given: Given, seed: int | None = None) -> None:
        self.given = given
        self._rng = random.Random(given.seed if seed is None else seed)
        self._told: list[Story] = []

    def draft(self) -> dict[str, Any]:
        """The whole draft, as the schema `briefing_draft` has it."""
        sections = [(section.key, self.section(section.key, section.most_sentences)) for section in self.given.sections]
        _shorten([sentences for _, sentences in sections])
        return {
            "bottom_line": [sentence.as_json() for sentence in self.bottom_line()],
            "sections": [
                {"key": key, "sentences": [sentence.as_json() for sentence in sentences]} for key, sentences in sections
            ],
        }

    def bottom_line(self) -> list[Sentence]:
        """How the company stands and what is to be decided, in no more than 40 words."""
        headline = self.given.total("bookings", "mrr", "pipeline_value", "product_actions")
        found = [] if headline is None else [self._stated(headline, phrases.HEADLINES)]
        weighty = [story for story in self.given.stories.values() if story.kind != "metric_change"]
        chosen = next((story for story in weighty if story.category == "risk"), None) or next(iter(weighty), None)
        if chosen is not None:
            found.append(self._of_story(chosen, story_phrases.DECISIONS, story_phrases.ANY_DECISION))
        kept = [sentence for sentence in found if sentence is not None]
        return kept if sum(_words(each.text) for each in kept) <= _BOTTOM_LINE_WORDS else kept[-1:]

    def section(self, key: str, most: int) -> list[Sentence]:
        """A section's sentences, at most that many."""
        write: dict[str, Callable[[], Iterable[Sentence | None]]] = {
            "performance": self._performance,
            "targets": self._targets,
            "customers": self._customers,
            "product": self._product,
            "changes": lambda: self._changes(most),
            "risks": lambda: self._risks(most),
            "actions": self._actions,
        }
        sentences = write.get(key, self._other_figures)()
        return [sentence for sentence in sentences if sentence is not None][:most]

    def retell(self, sentence: Sentence) -> Sentence | None:
        """The same in other words, or None where nothing in the prompt is behind it."""
        story = self.given.stories.get(sentence.story)
        if story is not None:
            if "|owner}}" in sentence.text:
                return self._action(story, sentence.text)
            risk = "|likelihood}}" in sentence.text
            return self.tell_risk(story, sentence.text) if risk else self.tell_change(story, sentence.text)
        handles = (match[1] for match in _SLOT.finditer(sentence.text))
        fact = next((self.given.facts[handle] for handle in handles if handle in self.given.facts), None)
        return self._stated(fact, unlike=sentence.text) if fact is not None and fact.is_company else None

    def tell_change(self, story: Story, unlike: str = "") -> Sentence | None:
        """A story as something that happened."""
        if story.kind == "metric_change":
            main = next(iter(story.facts), None)
            told = self._stated(main, unlike=unlike) if main is not None else None
            return told and Sentence(told.text, story.id)
        return self._of_story(story, story_phrases.CHANGES, story_phrases.ANY_CHANGE, unlike)

    def tell_risk(self, story: Story, unlike: str = "") -> Sentence | None:
        """A story as something that may go wrong; as a change where it has no likelihood."""
        told = self._of_story(story, story_phrases.RISKS, (), unlike)
        return told or self.tell_change(story, unlike)

    def _performance(self) -> Iterator[Sentence | None]:
        bookings = self.given.total("bookings")
        if bookings is not None:
            yield self._stated(bookings, phrases.BOOKED) or self._stated(bookings)
        leader = next((fact for fact in self.given.about("bookings", "owner") if _leads(fact)), None)
        if leader is not None:
            yield self._of_facts(phrases.LEADERS, {"x": leader})
        yield self._of_totals(phrases.WON_AND_LOST, "deals_won", "deals_lost", "win_rate") or self._total("win_rate")
        pipeline = self._of_totals(phrases.PIPELINE, "pipeline_value", "open_deals")
        yield pipeline or self._total("pipeline_value") or self._total("open_deals")
        yield self._total("mrr")

    def _targets(self) -> Iterator[Sentence | None]:
        for metric in dict.fromkeys(fact.metric for fact in self.given.facts.values() if fact.target):
            fact = self.given.total(metric)
            if fact is not None and fact.target:
                yield self._of_facts(phrases.TARGETS, {"x": fact})

    def _customers(self) -> Iterator[Sentence | None]:
        yield self._of_totals(phrases.SATISFACTION, "satisfaction_score", "satisfaction_responses")
        yield self._of_totals(phrases.CALLS, "calls", "customers_spoken_to")
        yield self._of_totals(phrases.LEAVING, "churn_risk_mentions")

    def _product(self) -> Iterator[Sentence | None]:
        yield self._of_totals(phrases.USE, "product_actions", "active_accounts")
        yield self._of_totals(phrases.DELIVERY, "issues_completed", "cycle_time_days")
        yield self._total("open_bugs")

    def _risks(self, most: int) -> Iterator[Sentence | None]:
        for story in self._at_risk(most):
            yield self._remember(story, self.tell_risk(story))

    def _changes(self, most: int) -> Iterator[Sentence | None]:
        later = next((section.most_sentences for section in self.given.sections if section.key == "risks"), 0)
        risks = {story.id for story in self._at_risk(later)}
        left = [story for story in self.given.stories.values() if story.id not in risks]
        left.sort(key=lambda story: story.kind == "metric_change")
        for story in left:
            main = next(iter(story.facts), None)
            if story.kind != "metric_change" or (main is not None and main.metric not in _TOLD_ELSEWHERE):
                yield self._remember(story, self.tell_change(story))

    def _actions(self) -> Iterator[Sentence | None]:
        told = sorted(self._told, key=lambda story: story.category != "risk")
        weighty = [story for story in told if story.kind != "metric_change"]
        for story in weighty or told or list(self.given.stories.values()):
            yield self._action(story)

    def _other_figures(self) -> Iterator[Sentence | None]:
        moved = [fact for fact in self.given.facts.values() if fact.is_company and fact.moves]
        for fact in self._rng.sample(moved, len(moved)):
            yield self._stated(fact)

    def _at_risk(self, most: int) -> list[Story]:
        return [story for story in self.given.stories.values() if story.category == "risk"][:most]

    def _remember(self, story: Story, sentence: Sentence | None) -> Sentence | None:
        if sentence is not None:
            self._told.append(story)
        return sentence

    def _action(self, story: Story, unlike: str = "") -> Sentence | None:
        return self._of_story(story, story_phrases.ACTIONS, story_phrases.ANY_ACTION, unlike)

    def _total(self, metric: str) -> Sentence | None:
        fact = self.given.total(metric)
        return None if fact is None else self._stated(fact)

    def _stated(self, fact: Fact, first: Sequence[str] = (), unlike: str = "") -> Sentence | None:
        facts = {"x": fact}
        text = choose(first, facts, self._rng, unlike=unlike) or choose(phrases.MOVED, facts, self._rng, unlike=unlike)
        text = text or choose(phrases.STATED, facts, self._rng, unlike=unlike)
        return None if text is None else Sentence(text)

    def _of_totals(self, shapes: Sequence[str], *metrics: str) -> Sentence | None:
        """A sentence on several figures of the company that belong together: those of the first one's period."""
        main = self.given.total(metrics[0])
        if main is None:
            return None
        facts = {main.metric: main}
        for fact in self.given.facts.values():
            if fact.metric in metrics and fact.is_company and fact.period == main.period:
                facts.setdefault(fact.metric, fact)
        return self._of_facts(shapes, facts) or self._stated(main)

    def _of_facts(self, shapes: Sequence[str], facts: Mapping[str, Fact]) -> Sentence | None:
        text = choose(shapes, facts, self._rng)
        return None if text is None else Sentence(text)

    def _of_story(
        self, story: Story, shapes: Mapping[str, Sequence[str]], otherwise: Sequence[str], unlike: str = ""
    ) -> Sentence | None:
        facts = story.by_metric()
        if story.facts:
            facts = {**facts, "x": story.facts[0]}
        text = choose(shapes.get(story.kind, ()), facts, self._rng, story, unlike)
        text = text or choose(otherwise, facts, self._rng, story, unlike)
        return None if text is None else Sentence(text, story.id)


def _shorten(sections: Sequence[list[Sentence]]) -> None:
    """Takes sentences off the longest sections until the body is short enough."""
    while sum(_words(each.text) for sentences in sections for each in sentences) > _BODY_WORDS:
        max(sections, key=len).pop()


def _leads(fact: Fact) -> bool:
    share = re.match(r"[\d.]+", fact.share)
    first = fact.rank in ("1", "largest")
    return first and share is not None and float(share[0]) >= _LEAST_SHARE_OF_LEADER


def _words(text: str) -> int:
    """How many words a text may come to once its slots are filled."""
    slots = sum(
        _WORDS_OF_NAME if match[1].startswith("s") and not match[2] else _WORDS_OF_SLOT.get(match[2] or "", 1)
        for match in _SLOT.finditer(text)
    )
    return slots + len(_SLOT.sub("", text).split())
