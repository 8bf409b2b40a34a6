"""The reader over a home in which attacks are planted, with an assistant whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from sophia_assets.assistant.interface import Answer, Citation, Question
from sophia_assets.home import Home
from sophia_assets_tests.web.serving import Echoing, Served, served

DAGSTER = "https://dagster.example.com"
SCRIPT = "<script>document.title='attacked'</script>"
IMAGE = '"><img src=x onerror="document.title=1">'
LINK = "[press](javascript:document.title=1)"
ATTACKS = (SCRIPT, IMAGE, LINK)
_SETTINGS = {
    "SOPHIA_WEB_LOGINS_PER_MINUTE": "100000",
    "SOPHIA_COMPANY_NAME": "Northwind Cloud",
    "SOPHIA_WEB_DAGSTER_URL": DAGSTER,
}
_CITED = Citation(
    "bookings.qtd",
    "Bookings",
    "$253K",
    "Q4 2026 to date",
    ("hubspot.deals",),
    "2026-11-20T23:00:00+00:00",
    "abc123",
    {"metric": "bookings", "start": "2026-10-01", "end": "2026-11-20", "period_key": "qtd"},
)
_ECHO = {"metrics": [{"name": "bookings", "label": "Bookings"}], "period": {"label": "Q4 2026 to date"}}


def known_answer(question: Question) -> Answer:
    """A value, a ranking with attacks for names, a trend, or a question back, by what is asked."""
    text = question.text.lower()
    if "which" in text:
        return Answer("clarify", "question", "Which revenue do you mean?", follow_ups=("How much did we book?", SCRIPT))
    if "top" in text:
        names = ("Erik Svensson", *ATTACKS)
        rows = tuple(
            {"rank": place, "owner": name, "metric": "Bookings", "period": "Q4", "value": f"${value}K", "number": value}
            for place, (name, value) in enumerate(zip(names, (186, 40, 20, 7), strict=True), 1)
        )
        response = f"The top owners are Erik Svensson with $186K and {SCRIPT} with $40K."
        follow_ups = ("How did bookings develop?", IMAGE)
        return Answer("answered", "ranking", response, rows, ATTACKS, (_CITED,), ATTACKS, follow_ups, _ECHO, "data")
    if "develop" in text:
        rows = tuple(
            {"period": f"{m} 2026", "value": f"${v}K", "number": v}
            for m, v in zip(("Jan", "Feb", "Mar"), (3, 5, 4), strict=True)
        )
        return Answer("answered", "trend", "Bookings went from $3K to $4K.", rows, (), (_CITED,), (), (), _ECHO, "data")
    asked = f"You asked {question.text!r} after {len(question.earlier)} others."
    follow_ups = ("Who are the top owners?", "Which revenue?")
    return Answer(
        "answered",
        "value",
        asked,
        ({"metric": "Bookings", "value": "$253K"},),
        (),
        (_CITED,),
        (),
        follow_ups,
        _ECHO,
        "briefing of 2026-11-20",
    )


def plant(home: Home) -> None:
    """Names accounts after attacks in the data, and in the sales leader's briefing, whose seal breaks by it."""
    with duckdb.connect(str(home.warehouse_file)) as warehouse:
        warehouse.execute("UPDATE marts.deal_states SET deal = ?, account = ? WHERE is_won", [SCRIPT, IMAGE])
        warehouse.execute("UPDATE marts.deal_states SET owner = ? WHERE owner = 'Erik Svensson'", [LINK])
    content = next(home.briefings.glob("*/sales_leader/briefing.json"))
    text = content.read_text()
    name = next(story["subject_name"] for story in json.loads(text)["stories"] if story["told"])
    content.write_text(text.replace(name, IMAGE.replace('"', '\\"')))


@contextmanager
def reader(home: Home) -> Iterator[Served]:
    """The process over a home that may be written into."""
    with served(home, _SETTINGS, assistant=Echoing(known_answer)) as running:
        yield running
