"""The keys that are derived from the ones that are set: one for each purpose, so that none serves two.

Belongs here: deriving and looking up. Does not belong here: sealing (`vault`, `streams`), settings.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sophia_assets.errors import EncryptionError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ID_BYTES = 8
_KEY_BYTES = 32
_NAMESPACE = b"sophia/1/"


class KeyRing:
    """The keys that are set, the current one first, by their ids. Its representation shows no key.

    Raises EncryptionError where the library that encrypts is not installed.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("a key ring holds at least one key")
        self._masters = {_derived(key, b"id", length=ID_BYTES): key for key in keys}
        self._ciphers: dict[tuple[bytes, str], AESGCM] = {}
        self.current_id = next(iter(self._masters))

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(each.hex() for each in self._masters)})"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")

    @property
    def ids(self) -> tuple[bytes, ...]:
        """The keys' ids, the current one's first."""
        return tuple(self._masters)

    def cipher(self, key_id: bytes, purpose: str) -> AESGCM:
        """The cipher of a purpose. Raises EncryptionError for a key that is not there."""
        found = self._ciphers.get((key_id, purpose))
        if found is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            found = self._ciphers[key_id, purpose] = AESGCM(self.derived(key_id, purpose))
        return found

    def derived(self, key_id: bytes, purpose: str, *, salt: bytes | None = None) -> bytes:
        """The key of a purpose, 32 bytes. Raises EncryptionError for a key that is not there."""
        master = self._masters.get(key_id)
        if master is None:
            raise EncryptionError(
                f"this was sealed with another key ({key_id.hex()}) than the ones that are set",
                remedy="Set SOPHIA_ENCRYPTION_KEY, or add the key to SOPHIA_ENCRYPTION_OLD_KEYS",
            )
        return _derived(master, b"purpose/" + purpose.encode(), salt=salt)

    def warehouse_keys(self) -> list[str]:
        """What DuckDB takes for the warehouse's file, in base64: the current key's, then the older ones'."""
        return [base64.b64encode(self.derived(each, "warehouse")).decode() for each in self._masters]


def _derived(master: bytes, info: bytes, *, salt: bytes | None = None, length: int = _KEY_BYTES) -> bytes:
    try:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError:
        raise not_installed("cryptography") from None
    return HKDF(SHA256(), length, salt, _NAMESPACE + info).derive(master)


def not_installed(what: str) -> EncryptionError:
    """What is told where a part of the extra is missing."""
    return EncryptionError(
        f"SOPHIA_ENCRYPTION_KEY is set, but {what} is not installed",
        remedy="Install sophia-assets[encryption], or unset the key of a home that is not encrypted",
    )
