"""HubSpot's CRM API v3 and associations v4, for reading."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import FaultKind

FAULTS: Mapping[str, FaultKind] = {}
