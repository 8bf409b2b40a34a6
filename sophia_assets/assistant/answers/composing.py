"""What an answer is put together in: the question with everything it may be answered from, and the answer in slots.

Belongs here: the two, and rows of results. Does not belong here: what any kind of answer says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from sophia_assets.assistant.answers import saying
from sophia_assets.assistant.answers.briefing_answers import NewestBriefing
from sophia_assets.assistant.answers.fact_source import FactSource, NotToBeSeen
from sophia_assets.assistant.answers.standing import Standing
from sophia_assets.assistant.interface import Question, Reading
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.facts import Fact, FactSet

if TYPE_CHECKING:
    from sophia_assets.assistant.searching.document_search import FoundDocuments
    from sophia_assets.assistant.searching.quote_search import QuoteSearch
    from sophia_assets.warehouse.reading import Reading as DataReading

MOST_INSIGHTS = 3


@dataclass(frozen=True)
class Asked:
    """A question on its way to an answer: as it was read, and all that the principal may have it answered from.

    `briefing` is the newest one that may be read, be it of an earlier day; `quotes` makes the search when needed, and
    `documents` finds passages by words, of some accounts or of all.
    """

    question: Question
    reading: Reading
    data: DataReading
    facts: FactSource
    standing: Standing
    briefing: NewestBriefing | None = None
    quotes: Callable[[], QuoteSearch] | None = None
    documents: Callable[[Sequence[str], Collection[str] | None], FoundDocuments] | None = None

    @property
    def day(self) -> date:
        """The last day of the data: what "today" means."""
        return self.data.day

    @property
    def scope(self) -> str:
        """Of whose rows alone the answer speaks, where no fact says it by itself."""
        filters = self.reading.filters
        is_one = len(filters) == 1 and len(filters[0].ids) == 1 and not filters[0].is_excluded
        return "" if is_one else saying.scope_of(filters)

    @property
    def whole_scope(self) -> str:
        """Of whose rows alone the answer speaks, for facts that are about something else."""
        return saying.scope_of(self.reading.filters)

    def metrics(self) -> list[Metric]:
        """The metrics of the question. Raises NotToBeSeen or NothingKnown for the first that is not to be had."""
        if any(not self.facts.may_see(name) for name in self.reading.metrics):
            raise NotToBeSeen(
                "that is not among the figures you may see",
                remedy="Ask what you can ask, or whoever manages access to the data",
            )
        return [self.facts.metric(name) for name in self.reading.metrics]


@dataclass
class Composed:
    """An answer before its slots are filled.

    `sentences` and `insights` hold slots of `facts`; `plain` is text that code has written whole, such as a quote or
    a definition, and stands behind them. `ideas` are questions that might be asked next, the best first.
    """

    sentences: list[str] = field(default_factory=list)
    insights: list[str] = field(default_factory=list)
    facts: dict[str, Fact] = field(default_factory=dict)
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    plain_insights: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    ideas: list[str] = field(default_factory=list)
    citations: list[Any] = field(default_factory=list)
    echo: dict[str, Any] = field(default_factory=dict)
    may_be_phrased: bool = True
    """Whether a model may put it into other words: not where sentences hold names or words of people."""

    def show(self, *facts: Fact | None) -> None:
        """Takes facts in, so that sentences may show them."""
        for fact in facts:
            if fact is not None:
                self.facts.setdefault(fact.id, fact)

    def say(self, *sentences: str) -> None:
        """Adds sentences to the answer."""
        self.sentences += [sentence for sentence in sentences if sentence]

    def add(self, *insights: str) -> None:
        """Adds further sentences, as long as there is room for them."""
        room = MOST_INSIGHTS - len(self.insights) - len(self.plain_insights)
        self.insights += [each for each in insights if each][: max(0, room)]

    def fact_set(self) -> FactSet:
        """All facts of the answer."""
        return FactSet(self.facts.values())


def row(fact: Fact, **more: Any) -> dict[str, Any]:
    """A fact as a row of results: whom it is about, its figures as they are shown, `number` for drawing."""
    found: dict[str, Any] = dict(more)
    found |= fact.dimensions
    found["metric"] = fact.label
    found["period"] = fact.period.label
    found["value"] = fact.display
    for name, shown in (
        ("previous", fact.previous_display),
        ("change", fact.change_display if saying.by_change(fact) else fact.delta_display),
        ("share", fact.share_display),
        ("target", fact.target_display),
    ):
        if shown is not None:
            found[name] = shown
    if "change" in found:
        found["direction"] = {"up": "up", "down": "down", "flat": "unchanged"}.get(fact.direction or "", "")
    found["number"] = fact.value
    return found


def same_columns(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the same keys in the same order, None where one has no value for a key."""
    keys: Iterable[str] = dict.fromkeys(key for each in rows for key in each if key != "number")
    keys = [*keys, *(["number"] if any("number" in each for each in rows) else [])]
    return [{key: each.get(key) for key in keys} for each in rows]
