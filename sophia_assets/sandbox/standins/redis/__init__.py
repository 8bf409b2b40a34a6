"""Redis, as a real server process behind a proxy that plays the faults; it has a port of its own."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import FaultKind

FAULTS: Mapping[str, FaultKind] = {
    "trim": FaultKind("every stream is trimmed to its newest COUNT entries", "COUNT", 10.0, 1e9, happens_once=True),
    "restart": FaultKind("the server is replaced by another with the same data", happens_once=True),
    "expire": FaultKind("the next COUNT keys that a scan finds expire before they are read", "COUNT", 1.0, 1e9),
    "wrongtype": FaultKind("the next COUNT keys that a scan finds become lists before that", "COUNT", 1.0, 1e9),
}
PATHS = ()
