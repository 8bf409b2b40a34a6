"""Every metric, computed in plain Python from the stand-ins' answers, by the words of its description.

A metric is a function from a span of business days, and the moment up to which things are known, to
`Item`s; how items become a value is the metric's `Aggregate`. What a deal was at a moment follows from
the versions of its properties before that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from sophia_assets_tests.end_to_end.recomputed_words import (
    Entity,
    Item,
    MetricWords,
    Select,
    different,
    largest,
    mean,
    middle,
    number,
    smallest,
    total,
)
from sophia_assets_tests.end_to_end.recomputed_work import WORK
from sophia_assets_tests.end_to_end.shown_values import Span
from sophia_assets_tests.end_to_end.stand_in_answers import Answers, Deal, Stage


@dataclass(frozen=True)
class DealState:
    """A deal as it stood at a moment."""

    deal: Deal
    name: str
    owner_id: str | None
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
        """Every deal that existed just before `moment` and was not archived, as it stood then, with its entities."""
        if moment not in self._states:
            states = (self._state(deal, moment) for deal in self.answers.deals)
            self._states[moment] = [(state, self._entities(state)) for state in states if state]
        return self._states[moment]

    def _state(self, deal: Deal, moment: datetime) -> DealState | None:
        stages, amounts, closes, owners, names = (
            [version for version in versions if version[0] < moment]
            for versions in (deal.stages, deal.amounts, deal.close_dates, deal.owners, deal.names)
        )
        if not stages and not amounts and not closes:
            return None
        if deal.archived is not None and deal.archived < moment:
            return None
        days = [self.answers.day_of(datetime.fromisoformat(text)) if text else None for _, text in closes]
        entered = next(at for index, (at, stage) in enumerate(stages) if all(s == stage for _, s in stages[index:]))
        return DealState(
            deal=deal,
            name=(names[-1][1].strip() if names else "") or f"Deal {deal.id}",
            owner_id=owners[-1][1] or None if owners else None,
            stage=self.answers.stages[stages[-1][1]],
            amount=Fraction(amounts[-1][1]) if amounts and amounts[-1][1] else None,
            close_day=days[-1] if days else None,
            created_day=self.answers.day_of(deal.created),
            stage_day=self.answers.day_of(entered),
            pushes=sum(1 for a, b in pairwise(days) if a and b and b > a),
        )

    def _entities(self, state: DealState) -> dict[str, Entity]:
        deal = state.deal
        found = {"deal": (deal.id, state.name), "stage": (state.stage.id, state.stage.label)}
        if state.owner_id:
            owner = self.answers.owners.get(state.owner_id)
            name = f"{owner['firstName'] or ''} {owner['lastName'] or ''}".strip() if owner else "Unassigned"
            found["owner"] = (state.owner_id, name or f"Owner {state.owner_id}")
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

    def revenue_moves(self) -> Iterator[tuple[dict[str, Entity], date, Fraction, Fraction, bool]]:
        """Each day on which an account's recurring revenue moved: before, after, and whether it ever paid before."""
        by_account: dict[Any, list[dict[str, Any]]] = {}
        for term in self.answers.terms:
            by_account.setdefault(term["account_id"] or term["account_name"], []).append(term)
        for terms in by_account.values():
            entities = self.account(terms[0]["account_id"], terms[0]["account_name"])
            before, was_customer = Fraction(0), False
            for day in sorted({day for term in terms for day in (term["valid_from"], term["valid_to"]) if day}):
                running = [
                    t for t in terms if t["valid_from"] <= day and (t["valid_to"] is None or t["valid_to"] > day)
                ]
                after = sum((Fraction(term["mrr"]) for term in running), Fraction(0))
                if after != before:
                    yield entities, day, before, after, was_customer
                before, was_customer = after, was_customer or after > 0


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
                    yield Item(found, company.account(term["account_id"], term["account_name"]) | _plan(term))

    return select


def _renewing(term: dict[str, Any], span: Span) -> Any:
    renewal = term["renewal_date"]
    return term["mrr"] if renewal and span.end < renewal <= span.end + timedelta(days=60) else None


def _until_renewal(term: dict[str, Any], span: Span) -> int | None:
    renewal = term["renewal_date"]
    return (renewal - span.end).days if renewal and renewal > span.end else None


def _movement(*kinds: str, signed: bool = False) -> Select:
    def select(company: Company, span: Span, known: datetime) -> Iterator[Item]:
        for entities, day, before, after, was_customer in company.revenue_moves():
            if before == 0:
                kind = "reactivation" if was_customer else "new"
            elif after == 0:
                kind = "churn"
            else:
                kind = "expansion" if after > before else "contraction"
            if kind in kinds and _within(day, span):
                yield Item(after - before if signed else abs(after - before), entities)

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


def _low_scores(company: Company, span: Span, known: datetime) -> Iterator[Item]:
    return (item for item in _scores(company, span, known) if item.value <= 2)


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


def _paid(value: Callable[[dict[str, Any]], Any]) -> Select:
    def select(company: Company, span: Span, known: datetime) -> Iterator[Item]:
        for invoice in company.answers.invoices:
            if _within(invoice["paid_on"], span) and value(invoice) is not None:
                yield Item(value(invoice), company.account(invoice["account_id"], invoice["account_name"]))

    return select


def _pay_days(invoice: dict[str, Any]) -> int | None:
    return (invoice["paid_on"] - invoice["issued_on"]).days if invoice["issued_on"] <= invoice["paid_on"] else None


def _plan(term: dict[str, Any]) -> dict[str, Entity]:
    return {"plan": (term["plan"], term["plan"])} if term["plan"] else {}


def _value_won(values: Sequence[Any]) -> Fraction | None:
    """The part of all amounts that was won; unknown where none was."""
    won = [amount for amount, is_won in values if is_won and amount is not None]
    closed = [amount for amount, _ in values if amount is not None]
    return sum(won, Fraction(0)) / sum(closed) if won and sum(closed) else None


def _satisfied(values: Sequence[Any]) -> Fraction | None:
    return Fraction(sum(score >= 4 for score in values), len(values)) if values else None


def _nothing(company: Company, span: Span, known: datetime) -> Iterator[Item]:
    """A ratio has no items: its parts have."""
    return iter(())


_SALES = "hubspot"
_BOTH, _ALL, _MONTH_WEEK = ("qtd", "last_30d"), ("qtd", "last_30d", "last_7d"), ("last_30d", "last_7d")
METRICS: dict[str, MetricWords] = {
    "bookings": MetricWords(
        _SALES, _deals(_won, _amount), total, "usd", _ALL, ("week", "month", "quarter"),
        {"owner": "qtd", "account": "qtd", "industry": "qtd", "deal": "last_7d"}, run_rate=True,
    ),
    "deals_won": MetricWords(
        _SALES, _deals(_won, _one), number, "count", _ALL, ("month", "quarter"), {"owner": "qtd"}, run_rate=True
    ),
    "deals_lost": MetricWords(_SALES, _deals(_lost, _one), number, "count", _ALL, ("month", "quarter")),
    "lost_value": MetricWords(_SALES, _deals(_lost, _amount), total, "usd", _BOTH),
    "win_rate": MetricWords(
        _SALES, _deals(lambda s, p: _won(s, p) or _lost(s, p), lambda s, p: int(s.stage.is_won)), mean, "percent",
        _BOTH, ("month", "quarter"), {"owner": "qtd"},
    ),
    "average_deal_size": MetricWords(_SALES, _deals(_won, _amount), mean, "usd", ("qtd",), ("quarter",)),
    "sales_cycle_days": MetricWords(
        _SALES, _deals(lambda s, p: _won(s, p) and _cycle(s, p) >= 0, _cycle), mean, "days", ("qtd",), ("quarter",)
    ),
    "deals_created": MetricWords(_SALES, _deals(_created, _one), number, "count", _ALL),
    "pipeline_created": MetricWords(_SALES, _deals(_created, _amount), total, "usd", _ALL, ("month",)),
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
        "snowflake", _running(lambda t, p: t["mrr"]), total, "usd", ("as_of",), ("week", "month"), {"account": "as_of"}
    ),
    "active_customers": MetricWords(
        "snowflake", _running(lambda t, p: t["account_id"]), different, "count", ("as_of",)
    ),
    "renewals_due": MetricWords("snowflake", _running(_renewing), total, "usd", ("as_of",)),
    "days_to_renewal": MetricWords(
        "snowflake", _running(_until_renewal), smallest, "days", (), (), {"account": "as_of"}
    ),
    "new_mrr": MetricWords("snowflake", _movement("new"), total, "usd", _ALL, run_rate=True),
    "expansion_mrr": MetricWords(
        "snowflake", _movement("expansion"), total, "usd", _ALL, (), {"account": "last_30d"}
    ),
    "contraction_mrr": MetricWords(
        "snowflake", _movement("contraction"), total, "usd", _BOTH, (), {"account": "last_30d"}
    ),
    "churned_mrr": MetricWords("snowflake", _movement("churn"), total, "usd", _ALL, (), {"account": "last_30d"}),
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
        "snowflake", _scores, number, "count", _MONTH_WEEK, (), {"account": "last_60d"}
    ),
    "calls": MetricWords("gong", _calls(lambda c: c.id), number, "count", _MONTH_WEEK, ("week", "month")),
    "call_minutes": MetricWords("gong", _calls(lambda c: Fraction(c.seconds, 60)), total, "minutes", ("last_30d",)),
    "customers_spoken_to": MetricWords("gong", _calls(lambda c: c.company_id), different, "count", _MONTH_WEEK),
    "competitor_mentions": MetricWords(
        "gong", _calls(lambda c: c.id, _is_competitor), different, "count", _MONTH_WEEK, (),
        {"competitor": "last_30d"},
    ),
    "churn_risk_mentions": MetricWords(
        "gong", _calls(lambda c: c.id, "Churn risk".__eq__), different, "count",
        ("last_30d", "last_60d", "last_7d"), (), {"account": "last_60d"},
    ),
    "win_rate_by_value": MetricWords(
        _SALES,
        _deals(lambda s, p: _won(s, p) or _lost(s, p), lambda s, p: (s.amount, s.stage.is_won)), _value_won, "percent",
        _BOTH,
    ),
    "deals_without_amount": MetricWords(
        _SALES, _deals(lambda s, p: _open(s, p) and s.amount is None, _one), number, "count", ("as_of",), (),
        {"owner": "as_of"},
    ),
    "arr": MetricWords(
        "snowflake", _running(lambda t, p: t["mrr"] * 12), total, "usd", ("as_of",), (), {"plan": "as_of"}
    ),
    "revenue_per_customer": MetricWords(
        "snowflake", _nothing, mean, "usd", ("as_of",), ("month",), parts=("mrr", "active_customers")
    ),
    "net_new_mrr": MetricWords(
        "snowflake", _movement("new", "reactivation", "expansion", "contraction", "churn", signed=True), total, "usd",
        _BOTH, ("month",),
    ),
    "revenue_churn_rate": MetricWords(
        "snowflake", _nothing, mean, "percent", ("last_30d", "qtd"), parts=("churned_mrr", "mrr")
    ),
    "expansion_rate": MetricWords(
        "snowflake", _nothing, mean, "percent", ("last_30d", "qtd"), parts=("expansion_mrr", "mrr")
    ),
    "invoices_overdue": MetricWords("snowflake", _overdue(lambda i, p: 1), number, "count", ("as_of",)),
    "payments_received": MetricWords("snowflake", _paid(lambda i: i["amount"]), total, "usd", _BOTH, ("month",)),
    "days_to_pay": MetricWords("snowflake", _paid(_pay_days), mean, "days", _BOTH),
    "customers_lost": MetricWords(
        "snowflake", _movement("churn"), number, "count", ("last_30d", "qtd")
    ),
    "satisfied_share": MetricWords(
        "snowflake", _scores, _satisfied, "percent", ("last_60d", "last_30d"), ("month",)
    ),
    "low_scores": MetricWords(
        "snowflake", _low_scores, number, "count", ("last_30d",), (), {"account": "last_60d"}
    ),
    "actions_per_account": MetricWords(
        "marts", _nothing, mean, "number", ("last_30d",), parts=("product_actions", "active_accounts"), form="whole"
    ),
    **WORK,
}  # fmt: skip
