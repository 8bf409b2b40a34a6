"""Small files that are sealed as a whole: JSON, and a day's facts.

Belongs here: reading and writing them through a vault, each with its context. Does not belong here: their content.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from sophia_assets.encryption.vault import Vault
from sophia_assets.home import write_bytes_atomically


def write_json(vault: Vault, path: Path, context: str, content: Any) -> None:
    """Writes a file so that a reader, or a kill in between, sees the old content or the new."""
    write_bytes_atomically(path, vault.seal(json.dumps(content, indent=1).encode(), context))


def read_json(vault: Vault, path: Path, context: str) -> dict[str, Any] | None:
    """The JSON object in a file, None where it is absent or torn. Raises EncryptionError for what does not open."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    try:
        value = json.loads(vault.open(content, context))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def facts_context(path: Path) -> str:
    """What a day's facts are sealed for."""
    return f"facts/{path.name}"


def facts_file(vault: Vault, path: Path) -> BytesIO:
    """The Parquet of a day's facts, in memory. Raises OSError, and EncryptionError for what does not open."""
    return BytesIO(vault.open(path.read_bytes(), facts_context(path)))
