"""The settings of access: the audit trail's keys, and where its checkpoints are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sophia_assets.access.audit_keys import parse_key
from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import reading

PREFIX = "SOPHIA_AUDIT_"
KEY = f"{PREFIX}KEY"
OLD_KEYS = f"{PREFIX}OLD_KEYS"
CHECKPOINTS = f"{PREFIX}CHECKPOINTS"
CHECKPOINT_ENTRIES = f"{PREFIX}CHECKPOINT_ENTRIES"
_NAMES = (KEY, OLD_KEYS, CHECKPOINTS, CHECKPOINT_ENTRIES)


@dataclass(frozen=True)
class AccessSettings:
    """How the audit trail is kept.

    `audit_key` signs it; None: a key of the home's own, in a file. `audit_old_keys` are those that signed what is
    older. `audit_checkpoints` is the folder for what bears witness elsewhere; None: in the home. A checkpoint is made
    at least every `checkpoint_entries` entries.
    """

    audit_key: bytes | None = field(default=None, repr=False)
    audit_old_keys: tuple[bytes, ...] = field(default=(), repr=False)
    audit_checkpoints: Path | None = None
    checkpoint_entries: int = 1000


def read_access(environment: Mapping[str, str]) -> AccessSettings:
    """The settings of access. Raises ConfigurationError naming the setting and what is allowed, never a key."""
    for name in environment:
        if name.startswith(PREFIX) and name not in _NAMES:
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=f"Use one of {', '.join(_NAMES)}")
    key = (environment.get(KEY) or "").strip()
    folder = (environment.get(CHECKPOINTS) or "").strip()
    return AccessSettings(
        audit_key=parse_key(key, KEY) if key else None,
        audit_old_keys=tuple(
            parse_key(text.strip(), OLD_KEYS) for text in (environment.get(OLD_KEYS) or "").split(",") if text.strip()
        ),
        audit_checkpoints=Path(folder).expanduser().resolve() if folder else None,
        checkpoint_entries=reading.integer(environment, CHECKPOINT_ENTRIES, 1000, 1, 100_000),
    )
