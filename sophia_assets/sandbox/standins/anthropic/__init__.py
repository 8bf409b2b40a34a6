"""Anthropic's API for messages, with the sandbox's own model behind it."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import FaultKind
from sophia_assets.sandbox.standins.model_faults import MODEL_FAULTS

FAULTS: Mapping[str, FaultKind] = MODEL_FAULTS
HOLDS_COMPANY_DATA = False
