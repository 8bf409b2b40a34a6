"""Gong's API v2, for reading."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import EXPIRED_CURSOR, FaultKind

FAULTS: Mapping[str, FaultKind] = {
    "expired_cursor": EXPIRED_CURSOR,
    "late_call": FaultKind(
        "a call that began 6 days before the company's last day ends appears now", happens_once=True
    ),
    "late_transcript": FaultKind("transcripts of the last DAYS days are not there yet", "DAYS", 2.0, 36_500.0),
    "delete_call": FaultKind("the newest call is deleted", happens_once=True),
    "missing_scope": FaultKind("the key lacks the scopes for everything but calls and users"),
}
