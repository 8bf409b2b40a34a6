"""A hand-made company on one day: facts as the metrics layer gives them, with stories in them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

from sophia_assets.insight.writing import BriefingRequest, SourceStatus
from sophia_assets.metrics.facts import Fact, FactSet, Period
from sophia_assets.sources import registry

DAY = date(2026, 3, 20)
LOADED = datetime(2026, 3, 20, 23, 10, tzinfo=UTC)

UNITS = {
    "bookings": "usd",
    "lost_value": "usd",
    "win_rate": "percent",
    "average_deal_size": "usd",
    "sales_cycle_days": "days",
    "pipeline_created": "usd",
    "pipeline_value": "usd",
    "weighted_pipeline": "usd",
    "slipped_value": "usd",
    "stalled_value": "usd",
    "days_past_close": "days",
    "days_in_stage": "days",
    "mrr": "usd",
    "new_mrr": "usd",
    "expansion_mrr": "usd",
    "contraction_mrr": "usd",
    "churned_mrr": "usd",
    "invoiced_amount": "usd",
    "overdue_amount": "usd",
    "renewals_due": "usd",
    "days_to_renewal": "days",
    "satisfaction_score": "score",
    "call_minutes": "minutes",
    "cycle_time_days": "days",
}
GOOD_DOWN = {
    "deals_lost",
    "lost_value",
    "sales_cycle_days",
    "slipped_deals",
    "slipped_value",
    "stalled_deals",
    "stalled_value",
    "close_date_pushes",
    "days_past_close",
    "contraction_mrr",
    "churned_mrr",
    "overdue_amount",
    "competitor_mentions",
    "churn_risk_mentions",
    "days_in_stage",
    "open_bugs",
    "worried_conversations",
    "cycle_time_days",
}
NEUTRAL = {"renewals_due", "days_to_renewal", "topic_conversations"}
SYSTEMS = {
    "snowflake": (
        "mrr",
        "new_mrr",
        "expansion_mrr",
        "contraction_mrr",
        "churned_mrr",
        "invoiced_amount",
        "overdue_amount",
        "active_customers",
        "renewals_due",
        "days_to_renewal",
        "satisfaction_score",
        "satisfaction_responses",
    ),
    "gong": (
        "calls",
        "call_minutes",
        "customers_spoken_to",
        "competitor_mentions",
        "churn_risk_mentions",
        "worried_conversations",
        "topic_conversations",
    ),
    "linear": ("issues_completed", "cycle_time_days", "open_bugs"),
    "redis": ("product_actions", "active_accounts", "daily_users"),
}
#: The systems that the sample company uses.
IN_USE = ("hubspot", "gong", "snowflake", "linear", "redis")
#: What a quarter to date is to its end, in the sample company.
PACE = 1.15


def system_of(metric: str) -> str:
    """The system that a metric comes from."""
    return next((system for system, metrics in SYSTEMS.items() if metric in metrics), "hubspot")


def show(value: float, unit: str, *, delta: bool = False) -> str:
    """A value as a reader sees it, without a sign where it is a delta."""
    value = abs(value) if delta else value
    if unit == "usd":
        for limit, divisor, suffix in ((1e6, 1e6, "M"), (1e4, 1e3, "K")):
            if abs(value) >= limit:
                digits = 2 if suffix == "M" else 0
                return f"${value / divisor:,.{digits}f}{suffix}"
        return f"${value:,.0f}"
    if unit == "percent":
        return f"{value * 100:.1f} points" if delta else f"{value * 100:.1f}%"
    if unit == "days":
        return f"{value:.0f} day{'' if round(value) == 1 else 's'}"
    if unit == "minutes":
        return f"{value:,.0f} minutes"
    return f"{value:.1f}" if unit == "score" else f"{value:,.0f}"


def _direction(delta: float, unit: str) -> str:
    """A move that rounds to nothing is none."""
    if not re.search("[1-9]", show(delta, unit, delta=True)):
        return "flat"
    return "up" if delta > 0 else "down"


def period(key: str) -> Period:
    """The period behind a key, as of `DAY`."""
    grain, _, rest = key.partition(".")
    if key == "qtd":
        return Period(key, date(2026, 1, 1), DAY, "this quarter to date")
    if grain.startswith("last_"):
        return Period(key, DAY - timedelta(days=int(key[5:-1]) - 1), DAY, f"last {key[5:-1]} days")
    if grain == "week":
        start = date.fromisoformat(rest)
        return Period(key, start, start + timedelta(days=6), f"week of {rest}")
    if grain == "month":
        start = date.fromisoformat(f"{rest}-01")
        return Period(key, start, (start + timedelta(days=32)).replace(day=1) - timedelta(days=1), rest)
    return Period("as_of", DAY, DAY, "20 March 2026")


def previous_period(current: Period) -> Period | None:
    """What a period is compared to."""
    if current.key == "qtd":
        return Period("previous_qtd", date(2025, 10, 1), date(2025, 12, 18), "same point last quarter")
    if current.key.startswith("last_"):
        length = current.end - current.start + timedelta(days=1)
        return Period(f"previous_{current.key}", current.start - length, current.end - length, "the span before")
    if current.key == "as_of":
        day = DAY - timedelta(days=30)
        return Period("previous_as_of", day, day, "18 February 2026")
    return None


def make_fact(
    metric: str,
    key: str,
    value: float,
    previous: float | None = None,
    *,
    of: tuple[str, str, str] | None = None,
    rank: int | None = None,
    share: float | None = None,
    target: float | None = None,
) -> Fact:
    """A fact; `of` is (dimension, id, name)."""
    unit = UNITS.get(metric, "count")
    current = period(key)
    delta = None if previous is None else value - previous
    change = None if not previous or delta is None else delta / previous
    slug = "" if of is None else re.sub(r"[^a-z0-9]+", "_", of[2].lower()).strip("_") or of[1]
    return Fact(
        id=f"{metric}.{key.lower()}" + ("" if of is None else f".{of[0]}.{slug}"),
        metric=metric,
        label=metric.replace("_", " ").capitalize(),
        dimensions={} if of is None else {of[0]: of[2]},
        entity_ids={} if of is None else {of[0]: of[1]},
        period=current,
        value=value,
        unit=unit,
        display=show(value, unit),
        good_direction="down" if metric in GOOD_DOWN else "neutral" if metric in NEUTRAL else "up",
        sources=(f"{system_of(metric)}/{'deals' if system_of(metric) == 'hubspot' else metric}",),
        as_of=LOADED,
        query_hash=f"{zlib.crc32(f'{metric} {key}'.encode()):08x}",
        previous=previous,
        previous_display=None if previous is None else show(previous, unit),
        previous_period=None if previous is None else previous_period(current),
        delta=delta,
        delta_display=None if delta is None else show(delta, unit, delta=True),
        change=change,
        change_display=None if change is None else f"{abs(change) * 100:.1f}%",
        direction=None if delta is None else _direction(delta, unit),
        rank=rank,
        share=share,
        share_display=None if share is None else f"{share * 100:.1f}%",
        target=target,
        target_display=None if target is None else show(target, unit),
        run_rate=value * PACE if (metric, key) == ("bookings", "qtd") and of is None else None,
        run_rate_display=show(value * PACE, unit) if (metric, key) == ("bookings", "qtd") and of is None else None,
    )


def breakdown(
    metric: str, key: str, dimension: str, rows: Iterable[tuple[str, str, float, float | None]]
) -> list[Fact]:
    """Facts of one breakdown, ranked; `rows` are (id, name, value, previous)."""
    ordered = sorted(rows, key=lambda row: -row[2])
    total = sum(row[2] for row in ordered) or 1.0
    return [
        make_fact(metric, key, value, previous, of=(dimension, entity, name), rank=place, share=value / total)
        for place, (entity, name, value, previous) in enumerate(ordered, 1)
    ]


ACCOUNTS: Mapping[str, str] = {
    "1001": "Northwind Traders",
    "1002": "Contoso",
    "1003": "Fabrikam",
    "1004": "Adventure Works",
    "1005": "Wingtip Toys",
    "1006": "Litware",
    "1007": "Proseware",
    "1008": "Tailspin Toys",
    "1009": "Woodgrove Bank",
    "1010": "Humongous Insurance",
    "1011": "Blue Yonder Airlines",
    "1012": "Café Économie",
}
STAGES = {"s1": "Discovery", "s2": "Demo", "s3": "Proposal", "s4": "Negotiation"}
OWNERS = {"o1": "Priya Patel", "o2": "Sam O'Connor", "o3": "Mei-Ling Zhao", "o4": "Jürgen Weiß"}


def _totals() -> list[Fact]:
    rows: list[tuple[str, str, float, float]] = [
        ("bookings", "qtd", 1_243_600, 1_453_900),
        ("deals_won", "qtd", 46, 53),
        ("deals_lost", "qtd", 66, 61),
        ("lost_value", "qtd", 1_410_000, 1_120_000),
        ("win_rate", "qtd", 0.4107, 0.4649),
        ("average_deal_size", "qtd", 27_035, 27_432),
        ("sales_cycle_days", "qtd", 61, 52),
        ("deals_created", "qtd", 148, 139),
        ("pipeline_created", "qtd", 3_920_000, 3_120_000),
        ("pipeline_value", "as_of", 8_140_000, 7_720_000),
        ("open_deals", "as_of", 212, 204),
        ("weighted_pipeline", "as_of", 2_930_000, 2_870_000),
        ("slipped_deals", "as_of", 19, 11),
        ("slipped_value", "as_of", 962_000, 541_000),
        ("stalled_deals", "as_of", 37, 29),
        ("stalled_value", "as_of", 1_610_000, 1_180_000),
        ("mrr", "as_of", 412_400, 405_100),
        ("new_mrr", "last_30d", 9_850, 8_420),
        ("expansion_mrr", "last_30d", 7_900, 3_100),
        ("contraction_mrr", "last_30d", 1_240, 1_180),
        ("churned_mrr", "last_30d", 9_210, 2_600),
        ("overdue_amount", "as_of", 88_400, 51_000),
        ("active_customers", "as_of", 118, 117),
        ("renewals_due", "as_of", 61_300, 48_800),
        ("satisfaction_score", "last_60d", 3.94, 4.21),
        ("satisfaction_responses", "last_60d", 148, 152),
        ("calls", "last_30d", 212, 187),
        ("call_minutes", "last_30d", 6_840, 6_120),
        ("customers_spoken_to", "last_30d", 64, 61),
        ("competitor_mentions", "last_30d", 31, 19),
        ("churn_risk_mentions", "last_30d", 12, 7),
        ("churn_risk_mentions", "last_60d", 19, 14),
        ("product_actions", "last_30d", 412_730, 388_140),
        ("active_accounts", "last_30d", 103, 99),
        ("issues_completed", "last_30d", 87, 74),
        ("cycle_time_days", "last_30d", 4, 6),
        ("open_bugs", "as_of", 29, 22),
    ]
    return [make_fact(metric, key, value, previous) for metric, key, value, previous in rows]


def _accounts() -> list[Fact]:
    ids = list(ACCOUNTS)
    money = [28_400, 21_900, 18_300, 16_200, 14_800, 12_100, 9_900, 8_700, 7_300, 6_400, 5_200, 4_100]
    revenue = [(i, ACCOUNTS[i], m, m) for i, m in zip(ids, money, strict=True)]
    renewal = [
        (i, ACCOUNTS[i], float(d), None)
        for i, d in zip(ids, [34, 210, 301, 77, 160, 88, 240, 15, 120, 330, 51, 199], strict=True)
    ]
    score = [
        (i, ACCOUNTS[i], s, p)
        for i, s, p in zip(
            ids,
            [2.9, 4.2, 4.4, 4.1, 4.5, 4.0, 3.8, 4.3, 4.6, 4.2, 4.1, 4.4],
            [4.3, 4.3, 4.2, 4.2, 4.4, 4.3, 3.9, 4.1, 4.5, 4.4, 4.0, 4.2],
            strict=True,
        )
    ]
    risk = [
        (i, ACCOUNTS[i], float(v), float(p)) for i, v, p in zip(ids[:5], [6, 1, 2, 1, 1], [1, 1, 1, 1, 1], strict=True)
    ]
    won = [
        (i, ACCOUNTS[i], v, None)
        for i, v in zip(ids[:6], [310_000, 192_000, 144_000, 97_000, 51_000, 22_000], strict=True)
    ]
    return [
        *breakdown("mrr", "as_of", "account", revenue),
        *breakdown("days_to_renewal", "as_of", "account", renewal),
        *breakdown("satisfaction_score", "last_60d", "account", score),
        *breakdown("churn_risk_mentions", "last_60d", "account", risk),
        *breakdown("bookings", "qtd", "account", won),
        *breakdown("expansion_mrr", "last_30d", "account", [("1003", "Fabrikam", 6_400, None)]),
        *breakdown("churned_mrr", "last_30d", "account", [("1090", "Lucerne Publishing", 8_600, None)]),
        *breakdown(
            "overdue_amount",
            "as_of",
            "account",
            [("1005", "Wingtip Toys", 46_000, 46_000), ("1007", "Proseware", 6_100, None)],
        ),
    ]


def _signs() -> list[Fact]:
    """What other systems show of the accounts, and what many of them have in common."""
    users = [82, 210, 164, 93, 120, 77, 64, 58, 41, 39, 30, 22]
    before = [121, 207, 160, 95, 118, 76, 65, 57, 42, 38, 31, 22]
    named = list(ACCOUNTS.items())
    return [
        *breakdown(
            "daily_users",
            "last_30d",
            "account",
            [(i, name, now, then) for (i, name), now, then in zip(named, users, before, strict=True)],
        ),
        *breakdown(
            "open_bugs",
            "as_of",
            "account",
            [("1001", ACCOUNTS["1001"], 5, 1), ("1004", ACCOUNTS["1004"], 2, 2), ("1009", ACCOUNTS["1009"], 2, 1)],
        ),
        *breakdown(
            "worried_conversations",
            "last_30d",
            "account",
            [("1001", ACCOUNTS["1001"], 4, 1), ("1005", ACCOUNTS["1005"], 6, 1), ("1008", ACCOUNTS["1008"], 2, 1)],
        ),
        *breakdown(
            "topic_conversations",
            "last_30d",
            "topic",
            [("Pricing", "Pricing", 19, 17), ("Support issues", "Support issues", 38, 6), ("Praise", "Praise", 12, 2)],
        ),
        *breakdown("open_bugs", "as_of", "team", [("Platform", "Platform", 48, 19), ("Apps", "Apps", 11, 12)]),
    ]


def _deals() -> list[Fact]:
    open_deals = [
        ("d1", "Woodgrove Bank: branch rollout", 412_000.0),
        ("d2", "Litware renewal & upgrade", 96_000.0),
        ("d3", 'Tailspin "fleet" pilot', 61_000.0),
        ("d4", "Proseware seats", 38_000.0),
        ("d5", "Humongous Insurance claims desk", 33_000.0),
    ]
    stages = [
        ("s1", 2_900_000, 2_700_000),
        ("s2", 2_300_000, 2_350_000),
        ("s3", 1_840_000, 1_760_000),
        ("s4", 1_100_000, 910_000),
    ]
    stalled = [("s1", 9, 8), ("s2", 8, 9), ("s3", 7, 6), ("s4", 13, 6)]
    worth = [("s1", 310_000, 290_000), ("s2", 290_000, 310_000), ("s3", 260_000, 240_000), ("s4", 750_000, 340_000)]
    people = [("o1", 420_000), ("o2", 361_000), ("o3", 298_000), ("o4", 164_600)]
    return [
        *breakdown("pipeline_value", "as_of", "deal", [(i, n, v, None) for i, n, v in open_deals]),
        *breakdown("slipped_value", "as_of", "deal", [("d1", open_deals[0][1], 412_000, None)]),
        *breakdown("close_date_pushes", "as_of", "deal", [("d1", open_deals[0][1], 4, None)]),
        *breakdown("days_past_close", "as_of", "deal", [("d1", open_deals[0][1], 12, None)]),
        *breakdown(
            "bookings",
            "last_7d",
            "deal",
            [("d9", "Contoso data platform", 118_000, None), ("d8", "Fabrikam seats", 14_000, None)],
        ),
        *breakdown("pipeline_value", "as_of", "stage", [(s, STAGES[s], v, p) for s, v, p in stages]),
        *breakdown("stalled_deals", "as_of", "stage", [(s, STAGES[s], v, p) for s, v, p in stalled]),
        *breakdown("stalled_value", "as_of", "stage", [(s, STAGES[s], v, p) for s, v, p in worth]),
        *breakdown(
            "days_in_stage", "as_of", "stage", [(s, n, 20 + 6 * i, None) for i, (s, n) in enumerate(STAGES.items())]
        ),
        *breakdown("bookings", "qtd", "owner", [(o, OWNERS[o], v, None) for o, v in people]),
        *breakdown(
            "competitor_mentions",
            "last_30d",
            "competitor",
            [("Globex", "Globex", 17, 6), ("Initech", "Initech", 9, 8), ("Hooli", "Hooli", 5, 5)],
        ),
    ]


def _series() -> list[Fact]:
    months = [date(2025 + (2 + i) // 12, (2 + i) % 12 + 1, 1) for i in range(12)]
    bookings = [402, 377, 465, 431, 398, 512, 470, 455, 538, 492, 421, 447]
    won = [15, 14, 17, 16, 15, 18, 17, 17, 20, 18, 16, 17]
    revenue = [318, 325, 331, 342, 349, 356, 366, 371, 384, 391, 398, 405]
    score = [4.1, 4.15, 4.2, 4.1, 4.25, 4.3, 4.2, 4.25, 4.3, 4.2, 4.1, 3.97]
    weeks = [date(2026, 2, 2) + timedelta(days=7 * i) for i in range(6)]
    return [
        *(make_fact("bookings", f"month.{m:%Y-%m}", v * 1000) for m, v in zip(months, bookings, strict=True)),
        *(make_fact("deals_won", f"month.{m:%Y-%m}", v) for m, v in zip(months, won, strict=True)),
        *(make_fact("mrr", f"month.{m:%Y-%m}", v * 1000) for m, v in zip(months, revenue, strict=True)),
        *(make_fact("satisfaction_score", f"month.{m:%Y-%m}", v) for m, v in zip(months, score, strict=True)),
        *(
            make_fact("bookings", f"week.{w}", v * 1000)
            for w, v in zip(weeks, [96, 112, 74, 131, 88, 143], strict=True)
        ),
        *(make_fact("calls", f"week.{w}", v) for w, v in zip(weeks, [41, 47, 44, 52, 49, 55], strict=True)),
    ]


def sample_facts(systems: Iterable[str] = IN_USE, rename: Mapping[str, str] | None = None) -> FactSet:
    """The company's facts from the given systems; `rename` maps names to others, for names that attack."""
    wanted, names = set(systems), rename or {}
    everything = [*_totals(), *_accounts(), *_signs(), *_deals(), *_series()]
    facts = [fact for fact in everything if system_of(fact.metric) in wanted]
    for fact in facts:
        object.__setattr__(fact, "dimensions", {key: names.get(name, name) for key, name in fact.dimensions.items()})
    return FactSet(facts)


def sample_statuses(systems: Iterable[str] = IN_USE) -> tuple[SourceStatus, ...]:
    """One status for each system; those not given are off."""
    shown = {system: registry.display_name(system) for system in IN_USE}
    return tuple(
        SourceStatus(system, name, "fresh", LOADED, DAY, 12_345)
        if system in systems
        else SourceStatus(system, name, "off")
        for system, name in shown.items()
    )


def sample_request(systems: Iterable[str] = IN_USE, rename: Mapping[str, str] | None = None) -> BriefingRequest:
    """A request for the sample company's briefing."""
    systems = tuple(systems)
    return BriefingRequest(
        company_name="Meridian Software",
        date=DAY,
        timezone="America/New_York",
        facts=sample_facts(systems, rename),
        statuses=sample_statuses(systems),
        generated_at=datetime(2026, 3, 21, 5, 30, tzinfo=UTC),
        owners={"account:1001": "Priya Patel", "deal:d1": "Sam O'Connor"},
    )
