"""Details of the audit trail as they are shown: what looks like a secret or an address is masked.

Whoever asks may write a password into a question. The stored entry stays as it is, since the chain is over its text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sophia_assets.telemetry.redaction import SECRET, Redaction

_SHAPES = Redaction()
#: As people write it; how programs write it, the shapes of the log know.
_SPOKEN = re.compile(r"(?i)\b(password|passwd|pwd|passphrase)(\s+is\s*:?\s+|\s*:\s*)(?!\[secret\])\S{3,}")


def masked(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details with every text in them masked, however deep it lies."""
    return {name: _masked(value) for name, value in details.items()}


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return _SPOKEN.sub(rf"\1\2{SECRET}", _SHAPES.cleaned(value))
    if isinstance(value, Mapping):
        return masked(value)
    return [_masked(each) for each in value] if isinstance(value, list | tuple) else value
