"""Linear's GraphQL API, for reading."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import EXPIRED_CURSOR, FaultKind

FAULTS: Mapping[str, FaultKind] = {
    "expired_cursor": EXPIRED_CURSOR,
    "limited_as": FaultKind("a spent limit is answered with this HTTP status instead of 400", "STATUS", 200.0, 599.0),
    "partial": FaultKind("this share of the answers lacks values and has errors beside its data", "RATE", 0.3, 1.0),
    "complexity": FaultKind("one query may have no more than this many points", "POINTS", 1_000.0, 1e9),
    "ties": FaultKind(
        "the newest COUNT issues were all updated in one millisecond", "COUNT", 300.0, 1e9, happens_once=True
    ),
    "archive": FaultKind("the newest issue is archived, which does not move its updatedAt", happens_once=True),
    "delete": FaultKind("the newest issue is deleted for good", happens_once=True),
}
