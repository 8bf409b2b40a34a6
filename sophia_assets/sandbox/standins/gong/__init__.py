"""Gong's API v2, for reading."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import EXPIRED_CURSOR, FaultKind

FAULTS: Mapping[str, FaultKind] = {"expired_cursor": EXPIRED_CURSOR}
