"""What changed since the reader's last briefing: the same facts, then and now, told by code in three lines at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from sophia_assets.insight.names import listed, safe_name
from sophia_assets.insight.nouns import noun
from sophia_assets.insight.slots import day_phrase, period_phrase
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.facts import Fact
from sophia_assets.metrics.formats import display

if TYPE_CHECKING:
    from sophia_assets.insight.writing import BriefingRequest, SourceStatus

#: So much a figure has to move, as a share of what it was, to be told again.
MATERIAL_CHANGE = 0.02
#: The same for units whose own scale says what is much: a point of a percentage, a tenth of a score.
MATERIAL_MOVES = {"percent": 0.01, "score": 0.1}
NOTHING_MOVED = "No figure has moved materially since then, and the stories are the same."
_MOST_FIGURES, _MOST_NAMES = 3, 3


@dataclass(frozen=True)
class LastBriefing:
    """The briefing of the same kind and role before this one: its day, its facts' JSON by id, the stories it told.

    `stories` holds the told stories' JSON by id, `systems` each system's state then (`fresh`, `behind`, `missing`).
    """

    date: date
    facts: Mapping[str, Mapping[str, Any]]
    told_story_ids: frozenset[str]
    stories: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    systems: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> LastBriefing:
        """From a stored briefing; what an older version did not store is left out. Raises ValueError, KeyError."""
        told = {story["id"]: story for story in content.get("stories") or () if story.get("told")}
        return cls(
            date=date.fromisoformat(content["date"]),
            facts={fact["id"]: fact for fact in content.get("facts") or ()},
            told_story_ids=frozenset(told),
            stories=told,
            systems={
                entry["system"]: _standing(entry["state"], entry.get("served_percent", 100))
                for entry in content.get("freshness") or ()
            },
        )

    def seen_by(self, may_see: Callable[[str], bool]) -> LastBriefing:
        """What of it rests on metrics that a reader may see alone; a story that names none of its facts is left out."""
        stories = {key: story for key, story in self.stories.items() if all(map(may_see, metrics_of(story) or ("",)))}
        return replace(
            self,
            facts={key: fact for key, fact in self.facts.items() if may_see(metric_of(key))},
            told_story_ids=self.told_story_ids & stories.keys(),
            stories=stories,
        )


def metric_of(fact_id: str) -> str:
    """The metric that a fact's id begins with."""
    return fact_id.partition(".")[0]


def metrics_of(story: Mapping[str, Any]) -> set[str]:
    """The metrics that a stored story rests on."""
    return {metric_of(str(fact_id)) for fact_id in story.get("fact_ids") or ()}


@dataclass(frozen=True)
class SinceLine:
    """One plain line, and what it rests on: facts that both briefings have, stories, systems."""

    text: str
    fact_ids: tuple[str, ...] = ()
    story_ids: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()


@dataclass(frozen=True)
class SinceLast:
    """What changed since the briefing of `date`: figures, stories and systems, a line each."""

    date: date
    lines: tuple[SinceLine, ...]

    @property
    def title(self) -> str:
        """`Since your last briefing (20 November 2026)`."""
        return f"Since your last briefing ({day_phrase(self.date)})"


def since_last_as_json(since: SinceLast | None) -> dict[str, Any] | None:
    """The public JSON form; null for a reader's first briefing."""
    if since is None:
        return None
    lines = [
        {name: list(value) if isinstance(value, tuple) else value for name, value in vars(line).items()}
        for line in since.lines
    ]
    return {"date": since.date.isoformat(), "title": since.title, "lines": lines}


def since_last_from_json(given: Mapping[str, Any] | None) -> SinceLast | None:
    """What `since_last_as_json` gave. Raises KeyError, TypeError, ValueError for anything else."""
    if given is None:
        return None
    lines = (
        SinceLine(line["text"], tuple(line["fact_ids"]), tuple(line["story_ids"]), tuple(line["systems"]))
        for line in given["lines"]
    )
    return SinceLast(date.fromisoformat(given["date"]), tuple(lines))


def since_last(
    request: BriefingRequest, cited: Sequence[Fact], told: Iterable[str | None] = frozenset()
) -> SinceLast | None:
    """What changed since `request.last`, None where that is the reader's first briefing.

    `cited` are the facts that this briefing rests on, `told` the ids of the stories that it tells.
    """
    last = request.last
    if last is None or last.date >= request.date:
        return None
    lines = [
        _figures(last, cited),
        _stories(request, last, {story for story in told if story}),
        _systems(request, last),
    ]
    return SinceLast(last.date, tuple(line for line in lines if line) or (SinceLine(NOTHING_MOVED),))


def verify_since_last(
    since: SinceLast | None, request: BriefingRequest, cited: Sequence[Fact], told: Iterable[str | None] = frozenset()
) -> list[str]:
    """Works the lines out again from both briefings' facts; returns a finding for each that is not what comes of it."""
    expected = since_last(request, cited, told)
    if since == expected:
        return []
    if since is None or expected is None:
        return ["what changed since the last briefing is told, or not, against what is known of it"]
    right = {line.text for line in expected.lines}
    wrong = [line.text for line in since.lines if line.text not in right]
    return [f"not what the facts of both briefings give: {text!r}" for text in wrong] or [
        "the lines about the last briefing are not those that its facts give"
    ]


def _standing(state: str, percent: int) -> str:
    if state in ("off", "empty") or percent == 0:
        return "missing"
    return "fresh" if state == "fresh" else "behind"


def standing_of(status: SourceStatus) -> str:
    """How a system stands, in one of three words: `fresh`, `behind`, `missing`."""
    return _standing(status.state, status.rollout.percent)


def _figures(last: LastBriefing, cited: Sequence[Fact]) -> SinceLine | None:
    moved: dict[str, tuple[float, Fact, str]] = {}
    for fact in cited:
        before = _before(last.facts.get(fact.id), fact)
        if before is not None and fact.id not in moved:
            moved[fact.id] = (_size(before[0], fact), fact, before[1])
    largest = sorted(moved.values(), key=lambda entry: -entry[0])[:_MOST_FIGURES]
    if not largest:
        return None
    parts = [f"{_what(fact)} {'rose' if _rose(last, fact) else 'fell'} from {then} to {fact.display}"
             for _, fact, then in largest]  # fmt: skip
    text = listed(parts)
    return SinceLine(f"{text[:1].upper()}{text[1:]}.", fact_ids=tuple(fact.id for _, fact, _ in largest))


def _rose(last: LastBriefing, fact: Fact) -> bool:
    return bool(fact.value > float(last.facts[fact.id]["value"]))


def _what(fact: Fact) -> str:
    about = "" if fact.subject is None else f" of {safe_name(fact.subject)}"
    when = "" if fact.period.key == "as_of" else f" {period_phrase(fact.period)}"
    return f"{noun(fact).text}{about}{when}"


def _before(stored: Mapping[str, Any] | None, fact: Fact) -> tuple[float, str] | None:
    """The value then, and how it read; None where it is not the same thing, did not move, or does not agree in itself.

    A quarter to date that began on another day is another quarter; a point of a chart is told by the chart.
    """
    grain = fact.period.key.partition(".")[0]
    if stored is None or grain in ("week", "month", "quarter") or set(fact.dimensions) - {"account"}:
        return None
    try:
        value, shown, unit, start = stored["value"], stored["display"], stored["unit"], stored["period"]["start"]
        agrees = unit == fact.unit and shown == display(value, unit, _form(fact))
    except (KeyError, TypeError, ArithmeticError, ValueError):
        return None
    if not agrees or (grain == "qtd" and start != fact.period.start.isoformat()):
        return None
    least = MATERIAL_MOVES.get(fact.unit)
    moves = abs(fact.value - value) >= least - 1e-9 if least else _size(value, fact) >= MATERIAL_CHANGE
    return (float(value), str(shown)) if moves and shown != fact.display else None


def _size(before: float, fact: Fact) -> float:
    return abs(fact.value - before) / abs(before) if before else float("inf")


def _form(fact: Fact) -> str | None:
    metric = load_catalog().metrics.get(fact.metric)
    return metric.format if metric else None


def _stories(request: BriefingRequest, last: LastBriefing, told: set[str]) -> SinceLine | None:
    """Stories told for the first time, and those told then that the data does not give any more.

    One whose figures are missing now is not over: it cannot be told, which the briefing says elsewhere.
    """
    known = {fact.metric for fact in request.facts}
    new = [story for story in request.stories if story.id in told - last.told_story_ids]
    present = {story.id for story in request.stories}
    over = [
        (story_id, story)
        for story_id, story in last.stories.items()
        if story_id not in present and {str(fact).split(".")[0] for fact in story.get("fact_ids") or ("",)} <= known
    ]
    parts = []
    if new:
        parts.append(_stopped(f"New: {_named([story.subject_name for story in new])}"))
    if over:
        parts.append(
            _stopped(f"No longer reported: {_named([str(story.get('subject_name', '')) for _, story in over])}")
        )
    if not parts:
        return None
    return SinceLine(" ".join(parts), story_ids=(*(story.id for story in new), *(story_id for story_id, _ in over)))


def _stopped(text: str) -> str:
    """With one full stop, also after `Co.`"""
    return text if text.endswith(".") else f"{text}."


def _named(names: Sequence[str]) -> str:
    safe = list(dict.fromkeys(map(safe_name, names)))
    more = len(safe) - _MOST_NAMES
    return listed([*safe[:_MOST_NAMES], f"{more} more"] if more > 0 else safe)


def _systems(request: BriefingRequest, last: LastBriefing) -> SinceLine | None:
    parts, systems = [], []
    for status in request.statuses:
        then, now = last.systems.get(status.system), standing_of(status)
        if then is None or then == now:
            continue
        if now == "missing":
            said = "gives no data any more"
        elif then == "missing":
            said = "gives data now"
        else:
            said = "is up to date again" if now == "fresh" else "is no longer up to date"
        parts.append(f"{status.display_name} {said}")
        systems.append(status.system)
    return SinceLine(f"{listed(parts)}.", systems=tuple(systems)) if parts else None
