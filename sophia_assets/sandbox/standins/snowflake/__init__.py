"""Snowflake, as fakesnow's engine behind the wire that the real connector speaks."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import FaultKind

FAULTS: Mapping[str, FaultKind] = {}
PATHS = ("/session", "/queries/", "/monitoring/", "/telemetry/")
