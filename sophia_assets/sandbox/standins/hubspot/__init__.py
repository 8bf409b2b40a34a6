"""HubSpot's CRM API v3 and associations v4, for reading."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import EXPIRED_CURSOR, FaultKind

FAULTS: Mapping[str, FaultKind] = {
    "tie": FaultKind(
        "COUNT more deals appear, all modified in one millisecond", "COUNT", 10_050.0, 1e6, happens_once=True
    ),
    "association_change": FaultKind(
        "the newest open deal moves to another company, which does not count as a modification", happens_once=True
    ),
    "archive": FaultKind("the newest open deal is archived, which does not count as a modification", happens_once=True),
    "restore": FaultKind(
        "the deal archived last is restored, which does not count as a modification", happens_once=True
    ),
    "removed_property": FaultKind("the deals' property closed_lost_reason is deleted", happens_once=True),
    "missing_scope": FaultKind("the app may not read tickets"),
    "daily_limit": FaultKind("the day's requests are spent"),
    "expired_cursor": EXPIRED_CURSOR,
}
