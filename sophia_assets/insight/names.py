"""Names that people typed, made safe to show: they are data, and must never act as anything else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MAX_NAME_LENGTH = 60

#: Tag-like and invisible code points: controls, bidirectional overrides, zero-width, Unicode tags.
_INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`: the parts as one writes them in a sentence."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def safe_name(name: str) -> str:
    """The name as it may be shown: one line, visible characters only, no live link, no slot, <= 60 characters."""
    spaced = re.sub(r"\s+", " ", unicodedata.normalize("NFC", name))
    visible = "".join(ch for ch in spaced if unicodedata.category(ch) not in _INVISIBLE_CATEGORIES).strip()
    defanged = re.sub(r"://", "[:]//", visible)
    defanged = re.sub(r"(?i)\b(www|mailto|javascript|data)([.:])(?=\S)", r"\1[\2]", defanged)
    defanged = re.sub(r"(?<=\S)@(?=\S)", "[at]", defanged)
    defanged = defanged.replace("{{", "{ {").replace("}}", "} }")
    if len(defanged) > MAX_NAME_LENGTH:
        defanged = defanged[: MAX_NAME_LENGTH - 1].rstrip() + "…"
    return defanged or "(no name)"
