"""OpenAI's APIs for responses and chat completions, with the sandbox's own model behind them."""

from collections.abc import Mapping

from sophia_assets.sandbox.standins.faults import FaultKind
from sophia_assets.sandbox.standins.model_faults import MODEL_FAULTS

FAULTS: Mapping[str, FaultKind] = {
    **MODEL_FAULTS,
    "failed_event": FaultKind("this share of the responses fails in the middle, with an event", "RATE", 1.0, 1.0),
}
HOLDS_COMPANY_DATA = False
