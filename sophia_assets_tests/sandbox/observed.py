"""Recomputes from the raw records of a company what a briefing of a day could see, with the briefing's definitions.

Written without any of the simulation's own code, so that the two can disagree.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

from sophia_assets.sandbox.company_data import CompanyData, HubSpotRecord

Finding = tuple[str, str]


class Observed:
    """The patterns of each kind of story that a company's records show on a day."""

    def __init__(self, company: CompanyData, timezone: str = "UTC") -> None:
        self.company, self.zone = company, ZoneInfo(timezone)
        assert company.hubspot and company.gong and company.snowflake
        self.deals = list(company.hubspot.objects["deals"])
        self.open_stages = {s.id for s in company.hubspot.stages if not s.is_closed}
        self.stages = {s.id: s.label for s in company.hubspot.stages}

    def table(self, name: str) -> list[dict[str, Any]]:
        assert self.company.snowflake
        table = next(t for t in self.company.snowflake.tables if t.name == name)
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]

    def end_of(self, day: date) -> datetime:
        return datetime.combine(day + timedelta(days=1), time(), self.zone)

    def local(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    @cached_property
    def terms(self) -> list[dict[str, Any]]:
        return self.table("FINANCE.SUBSCRIPTIONS")

    @cached_property
    def invoices(self) -> list[dict[str, Any]]:
        return self.table("FINANCE.INVOICES")

    @cached_property
    def answers(self) -> dict[str, list[tuple[date, int]]]:
        found: dict[str, list[tuple[date, int]]] = defaultdict(list)
        for row in self.table("SUPPORT.SATISFACTION"):
            found[row["ACCOUNT_ID"]].append((self.local(row["RESPONDED_AT"]), row["SCORE"]))
        return {account: sorted(rows) for account, rows in found.items()}

    @cached_property
    def mentions(self) -> dict[str, list[date]]:
        found: dict[str, list[date]] = defaultdict(list)
        assert self.company.gong
        for call in self.company.gong.calls:
            for tracker in call.trackers:
                if tracker.startswith("Competitor: "):
                    found[tracker.removeprefix("Competitor: ")].append(self.local(call.started))
        return found

    @staticmethod
    def value(record: HubSpotRecord, name: str, at: datetime) -> tuple[str | None, datetime | None]:
        versions = record.history.get(name, [])
        index = bisect_right([v.timestamp for v in versions], at) - 1
        return (versions[index].value, versions[index].timestamp) if index >= 0 else (None, None)

    def mrr(self, day: date) -> float:
        return sum(float(t["MRR"]) for t in self.terms if _runs(t, day))

    def at_risk(self, day: date) -> set[Finding]:
        renewals = {t["ACCOUNT_ID"]: t["RENEWAL_DATE"] for t in self.terms if _runs(t, day)}
        found = set()
        for account, answers in self.answers.items():
            recent = [s for d, s in answers if 0 <= (day - d).days < 60]
            before = [s for d, s in answers if 60 <= (day - d).days < 120]
            near = account in renewals and (renewals[account] - day).days <= 90
            if near and min(len(recent), len(before)) >= 3 and fmean(before) - fmean(recent) >= 1:
                found.add(("account_at_risk", account))
        return found

    def slipping(self, day: date, large: float) -> set[Finding]:
        found, end = set(), self.end_of(day)
        for deal in self.deals:
            stage, _ = self.value(deal, "dealstage", end)
            amount, _ = self.value(deal, "amount", end)
            gone = deal.archived_at is not None and deal.archived_at <= end
            if stage not in self.open_stages or gone or float(amount or 0) < large:
                continue
            dates = [datetime.fromisoformat(v.value) for v in deal.history["closedate"] if v.timestamp <= end]
            pushes = sum(1 for a, b in pairwise(dates) if b > a)
            if pushes >= 3 or self.local(dates[-1]) < day:
                found.add(("slipping_deal", deal.id))
        return found

    def stalled(self, day: date) -> dict[str, int]:
        counts, end = dict.fromkeys(self.open_stages, 0), self.end_of(day)
        for deal in self.deals:
            stage, since = self.value(deal, "dealstage", end)
            if since is None or (deal.archived_at is not None and deal.archived_at <= end):
                continue
            if stage in counts and (day - self.local(since)).days > 30:
                counts[str(stage)] += 1
        return counts

    def stalled_stages(self, day: date) -> set[Finding]:
        before, now = self.stalled(day - timedelta(days=30)), self.stalled(day)
        return {("stalled_stage", s) for s in now if now[s] >= 8 and now[s] >= 2 * before[s]}

    def revenue_changes(self, day: date, large: float) -> set[Finding]:
        gained: dict[str, float] = defaultdict(float)
        lost: dict[str, float] = defaultdict(float)
        by_start = {(t["SUBSCRIPTION_ID"], t["VALID_FROM"]): t for t in self.terms}
        for term in self.terms:
            ended = term["VALID_TO"]
            if ended is None or not 0 <= (day - ended).days < 30:
                continue
            successor = by_start.get((term["SUBSCRIPTION_ID"], ended))
            if successor is None:
                lost[term["ACCOUNT_ID"]] += float(term["MRR"])
            elif successor["CHANGE_TYPE"] == "expansion":
                gained[term["ACCOUNT_ID"]] += float(successor["MRR"] - term["MRR"])
        return {("expansion", a) for a, v in gained.items() if v >= large} | {
            ("churn", a) for a, v in lost.items() if v >= large
        }

    def pressure(self, day: date) -> set[Finding]:
        found = set()
        for competitor, days in self.mentions.items():
            recent = sum(1 for d in days if 0 <= (day - d).days < 30)
            before = sum(1 for d in days if 30 <= (day - d).days < 60)
            if recent >= 6 and recent >= 2 * before:
                found.add(("competitor_pressure", competitor))
        return found

    def overdue(self, day: date, large: float) -> set[Finding]:
        owed: dict[str, float] = defaultdict(float)
        late: dict[str, int] = defaultdict(int)
        for invoice in self.invoices:
            unpaid = invoice["PAID_ON"] is None or invoice["PAID_ON"] > day
            if invoice["ISSUED_ON"] <= day and invoice["DUE_ON"] < day and unpaid:
                owed[invoice["ACCOUNT_ID"]] += float(invoice["AMOUNT"])
                late[invoice["ACCOUNT_ID"]] = max(late[invoice["ACCOUNT_ID"]], (day - invoice["DUE_ON"]).days)
        return {("overdue_payment", a) for a in owed if owed[a] >= large and late[a] > 30}

    def big_wins(self, day: date, largest: int = 3) -> set[Finding]:
        won = []
        for deal in self.deals:
            stage, since = self.value(deal, "dealstage", self.end_of(day))
            if stage == "closedwon" and since is not None and (day - self.local(since)).days < 365:
                won.append((float(self.value(deal, "amount", self.end_of(day))[0] or 0), self.local(since), deal.id))
        won.sort(reverse=True)
        return {("big_win", id_) for _, when, id_ in won[:largest] if (day - when).days < 7}

    def everything(self, day: date) -> set[Finding]:
        """All findings of `day`; large is 1 % of monthly revenue, and for a deal 80,000."""
        large = 0.01 * self.mrr(day)
        return (
            self.at_risk(day)
            | self.slipping(day, 80_000)
            | self.stalled_stages(day)
            | self.revenue_changes(day, large)
            | self.pressure(day)
            | self.overdue(day, 1.5 * large)
            | self.big_wins(day)
        )


def _runs(term: dict[str, Any], day: date) -> bool:
    return bool(term["VALID_FROM"] <= day and (term["VALID_TO"] is None or term["VALID_TO"] > day))
