"""The settings of encryption at rest: the key, where it is read from, and the keys before it.

Belongs here: what a key is, and that it never shows. Does not belong here: what is done with one (`encryption`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sophia_assets.errors import ConfigurationError

PREFIX = "SOPHIA_ENCRYPTION_"
KEY = f"{PREFIX}KEY"
KEY_FILE = f"{PREFIX}KEY_FILE"
OLD_KEYS = f"{PREFIX}OLD_KEYS"
KEY_BYTES = 32
_HOW_TO_MAKE = f"Make one with `openssl rand -base64 {KEY_BYTES}`, or in hex with `openssl rand -hex {KEY_BYTES}`"
_LARGEST_FILE = 4_096


@dataclass(frozen=True)
class EncryptionSettings:
    """The keys of 32 bytes, the current one first; none where encryption is off. They are never shown."""

    keys: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def is_on(self) -> bool:
        """Whether there is a key."""
        return bool(self.keys)


def read_encryption(environment: Mapping[str, str]) -> EncryptionSettings:
    """The settings of encryption. Raises ConfigurationError naming the setting and what is allowed, never its value."""
    known = (KEY, KEY_FILE, OLD_KEYS)
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=f"Use one of {', '.join(known)}")
    given, file, old = ((environment.get(name) or "").strip() for name in known)
    if given and file:
        raise ConfigurationError(f"{KEY} and {KEY_FILE} are both set", remedy="Set only one of them")
    if not (given or file):
        if old:
            raise ConfigurationError(
                f"{OLD_KEYS} is set, but no key is", remedy=f"Set {KEY} to the key that everything is sealed with"
            )
        return EncryptionSettings()
    current = _key(KEY, given) if given else _key(KEY_FILE, _content(file))
    older = [_key(OLD_KEYS, part.strip()) for part in old.split(",") if part.strip()]
    return EncryptionSettings(tuple(dict.fromkeys([current, *older])))


def _content(name: str) -> str:
    path = Path(name).expanduser()
    if not path.is_absolute():
        raise ConfigurationError(f"{KEY_FILE} is not an absolute path", remedy="Write it as /path/to/the/file")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE)
    except OSError as error:
        raise ConfigurationError(
            f"the file that {KEY_FILE} names cannot be read ({error.strerror})",
            remedy="Check that it is there, and that this user may read it",
        ) from None
    return content.decode("ascii", "replace").strip()


def _key(name: str, text: str) -> bytes:
    """The key in base64 (also the kind for URLs, also without padding) or hex; its text is in no error."""
    key = _from_hex(text) or _from_base64(text)
    if key is None:
        raise ConfigurationError(f"{name} holds no key in base64 or hex", remedy=_HOW_TO_MAKE)
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{name} holds {len(key)} bytes instead of {KEY_BYTES}", remedy=_HOW_TO_MAKE)
    if len(set(key)) == 1:
        raise ConfigurationError(f"{name} holds one byte over and over, which is no key", remedy=_HOW_TO_MAKE)
    return key


def _from_hex(text: str) -> bytes | None:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        return None
    # Half as many hex digits may be meant as base64.
    return key if len(key) >= KEY_BYTES else None


def _from_base64(text: str) -> bytes | None:
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
