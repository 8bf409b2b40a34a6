"""A ground made by hand: the real catalog, a few names, a Friday in November; no warehouse.

Belongs here: what tests of understanding ask on. Does not belong here: anything that is read from a home.
"""

from __future__ import annotations

from datetime import date

from sophia_assets.access.principal import EVERY_ROW, Principal, RowScope
from sophia_assets.assistant.interface import NotRead, Question, Reading
from sophia_assets.assistant.understanding.calendar_spans import Calendar
from sophia_assets.assistant.understanding.entities import Name, NameIndex
from sophia_assets.assistant.understanding.ground import Ground
from sophia_assets.assistant.understanding.understanding import understand
from sophia_assets.metrics.catalog import load_catalog

DAY, HISTORY_START = date(2026, 11, 20), date(2025, 5, 1)
CALENDAR = Calendar(DAY, HISTORY_START)
_DEALS = frozenset({"marts.deal_states", "marts.bookings"})
_ANY = frozenset(load_catalog().tables())
NAMES = (
    *(
        Name("account", (identifier,), name, _ANY)
        for identifier, name in (
            ("1", "Acme Tooling Ltd"),
            ("2", "Globex & Sons GmbH"),
            ("3", "Müller Logistics, Inc."),
            ("4", "Swangate Tooling GmbH"),
            ("5", "Swanbank Markets, Inc."),
            ("6", "Global Foods"),
        )
    ),
    Name("owner", ("11",), "Agnes Adeyemi", _DEALS | {"marts.owner_activity"}),
    Name("owner", ("12",), "Joel Fischer", _DEALS | {"marts.owner_activity"}),
    Name("owner", ("13",), "Agnes Holt", _DEALS),
    Name("deal", ("21",), "Acme Tooling Ltd - Report pack", _DEALS),
    *(Name("industry", (name,), name, _DEALS) for name in ("Construction", "Real estate", "Telecommunications")),
    *(Name("stage", (name.lower(),), name, _DEALS) for name in ("Proposal", "Discovery")),
    *(Name("team", (name,), name, frozenset({"marts.issue_states"})) for name in ("Platform", "Apps")),
    *(Name("plan", (name,), name, frozenset({"marts.recurring_revenue"})) for name in ("Enterprise", "Team")),
    *(Name("topic", (name,), name, frozenset({"marts.topics"})) for name in ("Pricing", "Renewal")),
    Name("competitor", ("Vantarro",), "Vantarro", frozenset({"marts.call_topics", "marts.topics"})),
    Name("system", ("hubspot",), "hubspot", frozenset({"marts.data_health"})),
    Name("country", ("Germany",), "Germany", frozenset({"marts.accounts"})),
)
ACCOUNTS = {str(number): {"account": str(number), "owner": "11" if number < 3 else "12"} for number in range(1, 7)}
GROUND = Ground("made", load_catalog(), load_catalog(), CALENDAR, NameIndex.of(NAMES), ACCOUNTS, {"21": "1"})


def asked(*texts: str, rows: RowScope = EVERY_ROW) -> Reading | NotRead:
    """What the last of the texts is understood as, after the others."""
    return understand(Question(texts[-1], Principal("reader", "executive", "cli", rows), texts[:-1]), GROUND)


def read(*texts: str) -> Reading:
    """The reading of a question that is understood."""
    found = asked(*texts)
    assert isinstance(found, Reading), f"{texts[-1]!r}: {found.reason}"
    return found


def unread(*texts: str, rows: RowScope = EVERY_ROW) -> NotRead:
    """Why a question is not understood."""
    found = asked(*texts, rows=rows)
    assert isinstance(found, NotRead), f"{texts[-1]!r} was read as {found}"
    return found
