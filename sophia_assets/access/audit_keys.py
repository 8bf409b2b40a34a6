"""The keys that sign the audit trail: where they come from, what is derived from them, how they are renewed.

Belongs here: keys. Does not belong here: what they sign. A key that is lost cannot be made again: what it signed can
then be read, but no longer be shown to be untouched.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sophia_assets.errors import AuditUnavailable, ConfigurationError

KEY_FILE = "audit.key"
_KEY_BYTES = 32
_SHORTEST_KEY, _LONGEST_KEY = 32, 1024
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_SALT = b"sophia-assets audit trail"


@dataclass(frozen=True)
class AuditKey:
    """One key, as a separate one for each of its uses. `id` tells it from others, and nothing about it."""

    id: str
    entries: bytes = field(repr=False)
    head: bytes = field(repr=False)
    checkpoints: bytes = field(repr=False)

    @classmethod
    def of(cls, master: bytes) -> AuditKey:
        """The keys that HKDF (RFC 5869, SHA-256) derives from `master`."""
        return cls(
            derived(master, "id")[:8].hex(),
            *(derived(master, use) for use in ("entry", "head", "checkpoint")),
        )


@dataclass(frozen=True)
class AuditKeys:
    """The key that signs now, and all that are known, by id."""

    current: AuditKey
    known: Mapping[str, AuditKey]


@dataclass(frozen=True)
class KeySource:
    """Where the keys are: those of the settings, and those of a file, which is made where there is none at all.

    The file has a key per line, the newest first.
    """

    file: Path
    key: bytes | None = field(default=None, repr=False)
    old_keys: tuple[bytes, ...] = field(default=(), repr=False)

    def read(self, *, may_make: bool = False) -> AuditKeys | None:
        """The keys as they are now; None where there are none and none may be made. Raises AuditUnavailable."""
        stored = self._stored()
        if self.key is None and not stored and may_make:
            self._make()
            stored = self._stored()
        masters = [*([self.key] if self.key else []), *stored, *self.old_keys]
        if not masters:
            return None
        keys = [AuditKey.of(master) for master in masters]
        return AuditKeys(keys[0], {key.id: key for key in keys})

    def renew(self) -> str:
        """Puts a new key before the file's others; gives its id. Raises ConfigurationError where a setting holds it."""
        if self.key is not None:
            raise ConfigurationError(
                "the audit trail's key is a setting",
                remedy="Set SOPHIA_AUDIT_KEY to a new one, and SOPHIA_AUDIT_OLD_KEYS to the one that it is now",
            )
        lines = [secrets.token_bytes(_KEY_BYTES), *self._stored()]
        self._written(lines).replace(self.file)
        return AuditKey.of(lines[0]).id

    def _stored(self) -> Sequence[bytes]:
        try:
            lines = self.file.read_text(encoding="ascii").split()
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise AuditUnavailable(
                f"the audit trail's key in {self.file} cannot be read: {getattr(error, 'strerror', None) or 'no key'}",
                remedy="See that it may be read, or take it from a backup",
            ) from None
        try:
            return [parse_key(line, str(self.file)) for line in lines]
        except ConfigurationError:
            raise AuditUnavailable(
                f"{self.file} holds something that is no key", remedy="Take it from a backup"
            ) from None

    def _make(self) -> None:
        """Makes the file where nobody has made it meanwhile; whoever comes second takes the first one's."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._written([secrets.token_bytes(_KEY_BYTES)])
            try:
                os.link(temporary, self.file)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        except OSError as error:
            raise AuditUnavailable(
                f"the audit trail's key cannot be made in {self.file}: {error.strerror}",
                remedy="See that the folder can be written, or set SOPHIA_AUDIT_KEY",
            ) from None

    def _written(self, masters: Sequence[bytes]) -> Path:
        temporary = self.file.with_name(f".{self.file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("".join(f"{master.hex()}\n" for master in masters))
            file.flush()
            os.fsync(file.fileno())
        return temporary


def derived(master: bytes, use: str) -> bytes:
    """32 bytes for one use (HKDF with SHA-256)."""
    extracted = hmac.digest(_SALT, master, "sha256")
    return hmac.digest(extracted, use.encode() + b"\x01", "sha256")


def parse_key(text: str, name: str) -> bytes:
    """A key from hexadecimal digits or base64. Raises ConfigurationError that never tells it."""
    try:
        key = bytes.fromhex(text) if _HEX.fullmatch(text) else base64.b64decode(text + "=" * (-len(text) % 4), b"-_")
    except (ValueError, binascii.Error):
        key = b""
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise ConfigurationError(
            f"{name} is no key of at least {_SHORTEST_KEY} bytes",
            remedy='Write it in base64 or hexadecimal digits, as `python -c "import secrets; '
            'print(secrets.token_hex(32))"` gives one',
        )
    return key
