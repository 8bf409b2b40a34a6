"""Snowflake, as fakesnow's engine behind the wire that the real connector speaks."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import FaultKind

FAULTS: Mapping[str, FaultKind] = {
    "drop_column": FaultKind("the first table loses its column number COLUMN", "COLUMN", 3.0, 100.0, happens_once=True),
    "new_column": FaultKind("the first table gains a column REGION", happens_once=True),
    "retype_column": FaultKind(
        "the first table's column number COLUMN becomes text, which says n/a in the first row",
        "COLUMN",
        3.0,
        100.0,
        happens_once=True,
    ),
    "hard_delete": FaultKind("every table loses its last COUNT rows", "COUNT", 1.0, 1e9, happens_once=True),
}
PATHS = ("/session", "/queries/", "/monitoring/", "/telemetry/")
