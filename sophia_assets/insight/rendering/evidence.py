"""The evidence behind a briefing in the words that readers see: numbered facts, comparisons, ages of data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sophia_assets.control.rollouts import EVERYTHING
from sophia_assets.insight.briefing import Briefing, Sentence
from sophia_assets.insight.gaps import STATE_WORDS
from sophia_assets.insight.names import safe_name
from sophia_assets.insight.slots import day_phrase, period_phrase, previous_period_phrase
from sophia_assets.insight.writing import SourceStatus
from sophia_assets.metrics.facts import Fact


@dataclass(frozen=True)
class EvidenceRow:
    """One fact as a reader checks it. `number` is its mark in the text."""

    number: int
    fact_id: str
    what: str
    value: str
    period: str
    comparison: str
    sources: tuple[str, ...]
    as_of: str
    query_hash: str
    caveats: tuple[str, ...]


class Evidence:
    """Numbers the facts that sentences show, in order of first use."""

    def __init__(self, briefing: Briefing) -> None:
        self._zone = ZoneInfo(briefing.request.timezone)
        shown = dict.fromkeys(fact_id for sentence in briefing.sentences() for fact_id in sentence.fact_ids)
        facts = [fact for fact in map(briefing.request.facts.get, shown) if fact is not None]
        self.numbers = {fact.id: number for number, fact in enumerate(facts, 1)}
        self.rows = [self._row(number, fact) for number, fact in enumerate(facts, 1)]

    def marks(self, sentence: Sentence) -> list[int]:
        """The numbers of the facts that a sentence shows."""
        return [self.numbers[fact_id] for fact_id in sentence.fact_ids if fact_id in self.numbers]

    def rows_of(self, sentence: Sentence) -> list[EvidenceRow]:
        """The evidence of one sentence."""
        return [self.rows[number - 1] for number in self.marks(sentence)]

    def _row(self, number: int, fact: Fact) -> EvidenceRow:
        return EvidenceRow(
            number=number,
            fact_id=fact.id,
            what=fact.label if fact.subject is None else f"{fact.label}, {safe_name(fact.subject)}",
            value=fact.display,
            period=_span(fact),
            comparison=comparison(fact),
            sources=fact.sources,
            as_of=local_time(fact.as_of, self._zone),
            query_hash=fact.query_hash,
            caveats=fact.caveats,
        )


def _span(fact: Fact) -> str:
    """`So far this quarter (1 January to 20 March 2026)`."""
    words = period_phrase(fact.period)
    words = words[:1].upper() + words[1:]
    if fact.period.start == fact.period.end or fact.period.key.startswith(("month.", "quarter.")):
        return words
    start, end = day_phrase(fact.period.start), day_phrase(fact.period.end)
    if fact.period.start.year == fact.period.end.year:
        start = start.rpartition(" ")[0]
    return f"{words} ({start} to {end})"


def comparison(fact: Fact) -> str:
    """`down $210K from $1.45M at the same point last quarter`, with share, run-rate and trend where there are any."""
    others = [
        f"{fact.share_display} of the whole" if fact.share_display else "",
        f"a run-rate of {fact.run_rate_display} for the whole quarter" if fact.run_rate_display else "",
        fact.trend_display or "",
    ]
    also = "; ".join(text for text in others if text)
    if fact.previous_display is None or fact.previous_period is None:
        return also
    link = {"as_of": "on", "qtd": "at"}.get(fact.period.key, "in")
    before = f"{fact.previous_display} {link} {previous_period_phrase(fact.period, fact.previous_period)}"
    moved = fact.direction in ("up", "down") and fact.delta_display
    text = f"{fact.direction} {fact.delta_display} from {before}" if moved else f"unchanged from {before}"
    return f"{text}; {also}" if also else text


def local_time(moment: datetime | None, zone: ZoneInfo) -> str:
    """`20 March 2026, 19:10` in the business time zone; naive times are UTC."""
    if moment is None:
        return "unknown"
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    local = aware.astimezone(zone)
    return f"{day_phrase(local.date())}, {local:%H:%M}"


@dataclass(frozen=True)
class FreshnessRow:
    """How one system's data stands, in plain words."""

    name: str
    state: str
    words: str
    reaches: str
    loaded: str
    rows: str


def freshness_rows(briefing: Briefing) -> list[FreshnessRow]:
    """One row for each system, connected ones first."""
    zone = ZoneInfo(briefing.request.timezone)

    def row(status: SourceStatus) -> FreshnessRow:
        return FreshnessRow(
            status.display_name,
            status.state,
            STATE_WORDS[status.state].capitalize() + _served(status),
            day_phrase(status.newest_data) if status.newest_data else "\u2013",
            local_time(status.last_loaded_at, zone) if status.last_loaded_at else "\u2013",
            f"{status.rows:,}" if status.rows else "\u2013",
        )

    return [row(status) for status in sorted(briefing.request.statuses, key=lambda status: status.state == "off")]


def _served(status: SourceStatus) -> str:
    if status.state in ("off", "empty") or status.rollout.percent == EVERYTHING:
        return ""
    return f", served for {status.rollout.percent}%"


def verification_sentence(briefing: Briefing) -> str:
    """How the briefing was checked, with what was kept out."""
    checked = briefing.verification
    text = (
        f"Code checked {checked.sentences} sentences and {checked.figures} figures against the facts they cite: "
        "value, unit, subject, metric, period and direction."
    )
    if checked.rejected:
        text += f" {len(checked.rejected)} drafted sentence{_s(checked.rejected)} failed and stayed out."
    return text + " All that is shown here passed."


def _s(items: Sequence[object]) -> str:
    return "" if len(items) == 1 else "s"
