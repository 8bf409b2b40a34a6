"""What Dagster's own storage is not given while encryption is on: it keeps events in plain text.

Belongs here: leaving content out, and saying where it is instead. Does not belong here: what is content (its asset
knows).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sophia_assets.encryption.vault import Vault


def without_content(vault: Vault, metadata: Mapping[str, Any], *names: str, instead: str) -> dict[str, Any]:
    """The metadata; while encryption is on, with a line in the place of what `names` hold, and `instead` says where."""
    if not vault.is_on:
        return dict(metadata)
    line = f"Encryption is on, and Dagster keeps what it is given in plain text, so this is not shown here. {instead}"
    return {name: line if name in names else value for name, value in metadata.items()}
