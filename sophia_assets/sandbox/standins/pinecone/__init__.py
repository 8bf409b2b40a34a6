"""Pinecone's control plane and data plane, for reading."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import EXPIRED_CURSOR, FaultKind

FAULTS: Mapping[str, FaultKind] = {
    "expired_cursor": EXPIRED_CURSOR,
    "stale_counts": FaultKind("the counts lag: they lack COUNT vectors of each namespace", "COUNT", 5.0, 1e9),
    "vanish": FaultKind("the next COUNT vectors are deleted between being listed and being fetched", "COUNT", 1.0, 1e9),
}
