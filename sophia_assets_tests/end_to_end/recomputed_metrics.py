"""Every metric, computed in plain Python from the stand-ins' answers, by the words of its description.

A metric is a function from a span of business days, and the moment up to which things are known, to
`Item`s; how items become a value is the metric's `Aggregate`. What a deal was at a moment follows from
the versions of its properties before that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

from sophia_assets_tests.end_to_end.shown_values import Span
from sophia_assets_tests.end_to_end.stand_in_answers import Answers, Deal, Stage

Entity = tuple[str, str]
"""An id and the name that is shown."""


@dataclass(frozen=True)
class Item:
    """What a metric aggregates: a number (None where the system has none) and the entities it belongs to."""

    value: Any
    entities: dict[str, Entity]


@dataclass(frozen=True)
class DealState:
    """A deal as it stood at a moment."""

    deal: Deal
    stage: Stage
    amount: Fraction | None
    close_day: date | None
    created_day: date
    stage_day: date
    pushes: int

    @property
    def is_lost(self) -> bool:
        return not self.stage.is_open and not self.stage.is_won


class Company:
    """The answers, asked in business terms."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._states: dict[datetime, list[tuple[DealState, dict[str, Entity]]]] = {}

    def deals_at(self, moment: datetime) -> list[tuple[DealState, dict[str, Entity]]]:
        """Every deal that existed just before `moment`, as it stood then, with its entities."""
        if moment not in self._states:
            states = (self._state(deal, moment) for deal in self.answers.deals)
            self._states[moment] = [(state, self._entities(state)) for state in states if state]
        return self._states[moment]

    def _state(self, deal: Deal, moment: datetime) -> DealState | None:
        stages, amounts, closes = (
            [version for version in versions if version[0] < moment]
            for versions in (deal.stages, deal.amounts, deal.close_dates)
        )
        if not stages and not amounts and not closes:
            return None
        days = [self.answers.day_of(datetime.fromisoformat(text)) if text else None for _, text in closes]
        entered = next(at for index, (at, stage) in enumerate(stages) if all(s == stage for _, s in stages[index:]))
        return DealState(
            deal=deal,
            stage=self.answers.stages[stages[-1][1]],
            amount=Fraction(amounts[-1][1]) if amounts and amounts[-1][1] else None,
            close_day=days[-1] if days else None,
            created_day=self.answers.day_of(deal.created),
            stage_day=self.answers.day_of(entered),
            pushes=sum(1 for a, b in pairwise(days) if a and b and b > a),
        )

    def _entities(self, state: DealState) -> dict[str, Entity]:
        deal = state.deal
        found = {"deal": (deal.id, deal.name), "stage": (state.stage.id, state.stage.label)}
        if deal.owner_id:
            owner = self.answers.owners.get(deal.owner_id)
            name = f"{owner['firstName'] or ''} {owner['lastName'] or ''}".strip() if owner else "Unassigned"
            found["owner"] = (deal.owner_id, name or f"Owner {deal.owner_id}")
        if deal.company_id in self.answers.companies:
            found["account"] = (deal.company_id, str(self.answers.company_name(deal.company_id)))
            industry = str(self.answers.companies[deal.company_id]["industry"] or "").strip().replace("_", " ")
            industry = industry[:1].upper() + industry[1:].lower() if industry else "Unknown"
            found["industry"] = (industry, industry)
        return found

    def account(self, company_id: str | None, name: str | None) -> dict[str, Entity]:
        """The account entity of another system's record."""
        if company_id is None:
            return {}
        return {"account": (company_id, self.answers.company_name(company_id, name) or f"Account {company_id}")}

    def terms(self) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None, bool]]:
        """Each subscription term with the one before it, and whether it is the subscription's last."""
        by_subscription: dict[str, list[dict[str, Any]]] = {}
        for term in sorted(self.answers.terms, key=lambda term: term["valid_from"]):
            by_subscription.setdefault(term["subscription_id"], []).append(term)
        for terms in by_subscription.values():
            for index, term in enumerate(terms):
                yield term, terms[index - 1] if index else None, index == len(terms) - 1


Select = Callable[[Company, Span, datetime], Iterator[Item]]
Aggregate = Callable[[Sequence[Any]], Fraction | None]


def total(values: Sequence[Any]) -> Fraction | None:
    known = [Fraction(value) for value in values if value is not None]
    return sum(known, Fraction(0)) if known else None


def number(values: Sequence[Any]) -> Fraction | None:
    return Fraction(len(values)) if values else None


def different(values: Sequence[Any]) -> Fraction | None:
    return Fraction(len({value for value in values if value is not None})) if values else None


def mean(values: Sequence[Any]) -> Fraction | None:
    known = [Fraction(value) for value in values if value is not None]
    return sum(known, Fraction(0)) / len(known) if known else None


def middle(values: Sequence[Any]) -> Fraction | None:
    return Fraction(median([Fraction(value) for value in values])) if values else None


def largest(values: Sequence[Any]) -> Fraction | None:
    return Fraction(max(values)) if values else None


def smallest(values: Sequence[Any]) -> Fraction | None:
    return Fraction(min(values)) if values else None


ADDITIVE = (total, number, different)


@dataclass(frozen=True)
class MetricWords:
    """What the catalog says of a metric, written again."""

    system: str
    select: Select
    aggregate: Aggregate
    unit: str
    periods: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    breakdowns: dict[str, str] = field(default_factory=dict)

    @property
    def is_additive(self) -> bool:
        """Whether nothing means zero."""
        return self.aggregate in ADDITIVE


def _deals(counts: Callable[[DealState, Span], bool], value: Callable[[DealState, Span], Any]) -> Select:
    def select(company: Company, span: Span, known: datetime) -> Iterator[Item]:
        for state, entities in company.deals_at(known):
            if counts(state, span):
                yield Item(value(state, span), entities)

    return select


def _within(day: date | None, span: Span) -> bool:
    return day is not None and span.start <= day <= span.end


def _won(state: DealState, span: Span) -> bool:
    return state.stage.is_won and _within(state.close_day, span)


def _lost(state: DealState, span: Span) -> bool:
    return state.is_lost and _within(state.close_day, span)


def _created(state: DealState, span: Span) -> bool:
    return _within(state.created_day, span)


def _open(state: DealState, span: Span) -> bool:
    return state.stage.is_open


def _slipped(state: DealState, span: Span) -> bool:
    return state.stage.is_open and state.close_day is not None and state.close_day < span.end


def _stalled(state: DealState, span: Span) -> bool:
    return state.stage.is_open and (span.end - state.stage_day).days > 30


def _amount(state: DealState, span: Span) -> Fraction | None:
    return state.amount


def _one(state: DealState, span: Span) -> int:
    return 1


def _weighted(state: DealState, span: Span) -> Fraction | None:
    return None if state.amount is None else state.amount * state.stage.chance


def _stage_days(state: DealState, span: Span) -> int:
    return (span.end - state.stage_day).days


def _cycle(state: DealState, span: Span) -> int:
    assert state.close_day is not None
    return (state.close_day - state.created_day).days


def _running(value: Callable[[dict[str, Any], Span], Any]) -> Select:
    def select(company: Company, span: Span, known: datetime) -> Iterator[Item]:
        for term in company.answers.terms:
            if term["valid_from"] <= span.end and (term["valid_to"] is None or term["valid_to"] > span.end):
                found = value(term, span)
                if found is not None:
                    yield Item(found, company.account(term["account_id"], term["account_name"]))

    return select


def _renewing(term: dict[str, Any], span: Span) -> Any:
    renewal = term["renewal_date"]
    return term["mrr"] if renewal and span.end < renewal <= span.end + timedelta(days=60) else None


def _until_renewal(term: dict[str, Any], span: Span) -> int | None:
    renewal = term["renewal_date"]
    return (renewal - span.end).days if renewal and renewal > span.end else None


def _movement(kind: str) -> Select:
    def select(company: Company, span: Span, known: datetime) -> Iterator[Item]:
        for term, before, is_last in company.terms():
            change = term["mrr"] - before["mrr"] if before else term["mrr"]
            moved = "new" if before is None else "expansion" if change > 0 else "contraction" if change < 0 else ""
            entities = company.account(term["account_id"], term["account_name"])
            if moved == kind and _within(term["valid_from"], span):
                yield Item(abs(change), entities)
            if kind == "churn" and is_last and _within(term["valid_to"], span):
                yield Item(term["mrr"], entities)

    return select


def _invoiced(company: Company, span: Span, known: datetime) -> Iterator[Item]:
    for invoice in company.answers.invoices:
        if _within(invoice["issued_on"], span):
            yield Item(invoice["amount"], company.account(invoice["account_id"], invoice["account_name"]))


def _overdue(value: Callable[[dict[str, Any], Span], Any]) -> Select:
    def select(company: Company, span: Span, known: datetime) -> Iterator[Item]:
        for invoice in company.answers.invoices:
            unpaid = invoice["paid_on"] is None or invoice["paid_on"] > span.end
            if invoice["issued_on"] <= span.end and invoice["due_on"] < span.end and unpaid:
                yield Item(value(invoice, span), company.account(invoice["account_id"], invoice["account_name"]))

    return select


def _scores(company: Company, span: Span, known: datetime) -> Iterator[Item]:
    for answer in company.answers.answers:
        if _within(company.answers.day_of(answer["responded_at"]), span):
            yield Item(answer["score"], company.account(answer["account_id"], answer["account_name"]))


def _calls(value: Callable[[Any], Any], heard: Callable[[str], bool] | None = None) -> Select:
    def select(company: Company, span: Span, known: datetime) -> Iterator[Item]:
        for call in company.answers.calls:
            if not _within(company.answers.day_of(call.started), span):
                continue
            account = company.account(call.company_id, call.company_name)
            if heard is None:
                yield Item(value(call), account)
                continue
            for tracker in sorted(call.trackers):
                if heard(tracker):
                    name = tracker.removeprefix("Competitor: ")
                    yield Item(value(call), account | {"competitor": (name, name)})

    return select


def _is_competitor(tracker: str) -> bool:
    return tracker.startswith("Competitor: ")


_SALES = "hubspot"
_BOTH = ("qtd", "last_30d")
METRICS: dict[str, MetricWords] = {
    "bookings": MetricWords(
        _SALES, _deals(_won, _amount), total, "usd", _BOTH, ("week", "month", "quarter"),
        {"owner": "qtd", "account": "qtd", "industry": "qtd", "deal": "last_7d"},
    ),
    "deals_won": MetricWords(
        _SALES, _deals(_won, _one), number, "count", _BOTH, ("month", "quarter"), {"owner": "qtd"}
    ),
    "deals_lost": MetricWords(_SALES, _deals(_lost, _one), number, "count", _BOTH, ("month", "quarter")),
    "lost_value": MetricWords(_SALES, _deals(_lost, _amount), total, "usd", _BOTH),
    "win_rate": MetricWords(
        _SALES, _deals(lambda s, p: _won(s, p) or _lost(s, p), lambda s, p: int(s.stage.is_won)), mean, "percent",
        _BOTH, ("month", "quarter"), {"owner": "qtd"},
    ),
    "average_deal_size": MetricWords(_SALES, _deals(_won, _amount), mean, "usd", ("qtd",), ("quarter",)),
    "sales_cycle_days": MetricWords(
        _SALES, _deals(lambda s, p: _won(s, p) and _cycle(s, p) >= 0, _cycle), mean, "days", ("qtd",), ("quarter",)
    ),
    "deals_created": MetricWords(_SALES, _deals(_created, _one), number, "count", _BOTH),
    "pipeline_created": MetricWords(_SALES, _deals(_created, _amount), total, "usd", _BOTH, ("month",)),
    "pipeline_value": MetricWords(
        _SALES, _deals(_open, _amount), total, "usd", ("as_of",), ("week", "month"),
        {"stage": "as_of", "owner": "as_of", "deal": "as_of"},
    ),
    "open_deals": MetricWords(_SALES, _deals(_open, _one), number, "count", ("as_of",), (), {"stage": "as_of"}),
    "weighted_pipeline": MetricWords(_SALES, _deals(_open, _weighted), total, "usd", ("as_of",)),
    "slipped_deals": MetricWords(_SALES, _deals(_slipped, _one), number, "count", ("as_of",)),
    "slipped_value": MetricWords(_SALES, _deals(_slipped, _amount), total, "usd", ("as_of",), (), {"deal": "as_of"}),
    "days_past_close": MetricWords(
        _SALES,
        _deals(
            lambda s, p: _slipped(s, p) and bool(s.amount),
            lambda s, p: (p.end - s.close_day).days if s.close_day else None,
        ),
        largest, "days", (), (), {"deal": "as_of"},
    ),
    "close_date_pushes": MetricWords(
        _SALES, _deals(lambda s, p: _open(s, p) and s.pushes > 0, lambda s, p: s.pushes), largest, "count",
        (), (), {"deal": "as_of"},
    ),
    "stalled_deals": MetricWords(_SALES, _deals(_stalled, _one), number, "count", ("as_of",), (), {"stage": "as_of"}),
    "stalled_value": MetricWords(_SALES, _deals(_stalled, _amount), total, "usd", ("as_of",), (), {"stage": "as_of"}),
    "days_in_stage": MetricWords(
        _SALES, _deals(_open, _stage_days), middle, "days", ("as_of",), (), {"stage": "as_of"}
    ),
    "mrr": MetricWords(
        "snowflake", _running(lambda t, p: t["mrr"]), total, "usd", ("as_of",), ("month",), {"account": "as_of"}
    ),
    "active_customers": MetricWords(
        "snowflake", _running(lambda t, p: t["account_id"]), different, "count", ("as_of",)
    ),
    "renewals_due": MetricWords("snowflake", _running(_renewing), total, "usd", ("as_of",)),
    "days_to_renewal": MetricWords(
        "snowflake", _running(_until_renewal), smallest, "days", (), (), {"account": "as_of"}
    ),
    "new_mrr": MetricWords("snowflake", _movement("new"), total, "usd", _BOTH),
    "expansion_mrr": MetricWords(
        "snowflake", _movement("expansion"), total, "usd", _BOTH, (), {"account": "last_30d"}
    ),
    "contraction_mrr": MetricWords(
        "snowflake", _movement("contraction"), total, "usd", _BOTH, (), {"account": "last_30d"}
    ),
    "churned_mrr": MetricWords("snowflake", _movement("churn"), total, "usd", _BOTH, (), {"account": "last_30d"}),
    "invoiced_amount": MetricWords("snowflake", _invoiced, total, "usd", _BOTH, ("month",)),
    "overdue_amount": MetricWords(
        "snowflake", _overdue(lambda i, p: i["amount"]), total, "usd", ("as_of",), (), {"account": "as_of"}
    ),
    "days_overdue": MetricWords(
        "snowflake", _overdue(lambda i, p: (p.end - i["due_on"]).days), largest, "days", (), (), {"account": "as_of"}
    ),
    "satisfaction_score": MetricWords(
        "snowflake", _scores, mean, "score", ("last_30d", "last_60d"), ("week", "month"), {"account": "last_60d"}
    ),
    "satisfaction_responses": MetricWords(
        "snowflake", _scores, number, "count", ("last_30d",), (), {"account": "last_60d"}
    ),
    "calls": MetricWords("gong", _calls(lambda c: c.id), number, "count", ("last_30d",), ("week",)),
    "call_minutes": MetricWords("gong", _calls(lambda c: Fraction(c.seconds, 60)), total, "minutes", ("last_30d",)),
    "customers_spoken_to": MetricWords("gong", _calls(lambda c: c.company_id), different, "count", ("last_30d",)),
    "competitor_mentions": MetricWords(
        "gong", _calls(lambda c: c.id, _is_competitor), different, "count", ("last_30d",), (),
        {"competitor": "last_30d"},
    ),
    "churn_risk_mentions": MetricWords(
        "gong", _calls(lambda c: c.id, "Churn risk".__eq__), different, "count", ("last_30d", "last_60d"), (),
        {"account": "last_60d"},
    ),
}  # fmt: skip
