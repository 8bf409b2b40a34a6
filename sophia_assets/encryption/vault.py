"""What seals bytes and texts before they are kept, and opens them again.

`context` says what is sealed and where it lies (`briefings/2026-11-20/briefing.json`, `audit.details`): what was sealed
for one place does not open in another.

Sealed bytes are: a mark with the version (8 bytes), the key's id (8), a random nonce (12), and AES-256-GCM's output
with all of that and the context as associated data. Each purpose, the context's first word, has a key of its own that
HKDF-SHA256 derives from the one that is set, so that 2^32 items of each purpose may be sealed with one key.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from sophia_assets.encryption.keys import ID_BYTES, KeyRing
from sophia_assets.errors import EncryptionError

if TYPE_CHECKING:
    from sophia_assets.home import Home
    from sophia_assets.settings import Settings

MARK = b"\x89SOPHIA\x01"
TEXT_MARK = "sealed:1:"
_NONCE = 12
_TAG = 16
_HEADER = len(MARK) + ID_BYTES + _NONCE


class Vault(Protocol):
    """Seals and opens. Where encryption is off, both give back what they are given."""

    @property
    def is_on(self) -> bool:
        """Whether anything is encrypted."""
        ...

    @property
    def reads_plain(self) -> bool:
        """Whether what is not sealed is read all the same."""
        ...

    @property
    def keys(self) -> KeyRing | None:
        """The keys, for what is not sealed as a whole: streams, the warehouse's file; None where encryption is off."""
        ...

    def seal(self, content: bytes, context: str) -> bytes:
        """The bytes as they are kept."""
        ...

    def open(self, content: bytes, context: str) -> bytes:
        """The bytes that were sealed. Raises EncryptionError for what does not open."""
        ...

    def seal_text(self, text: str, context: str) -> str:
        """A text as it is kept, in printable characters."""
        ...

    def open_text(self, text: str, context: str) -> str:
        """The text that was sealed. Raises EncryptionError for what does not open."""
        ...


class PlainVault:
    """Encryption is off. What was sealed while it was on does not open."""

    is_on = False
    reads_plain = True
    keys: KeyRing | None = None

    def seal(self, content: bytes, context: str) -> bytes:
        """See `Vault.seal`."""
        return content

    def open(self, content: bytes, context: str) -> bytes:
        """See `Vault.open`."""
        if is_sealed(content):
            raise _without_key(context)
        return content

    def seal_text(self, text: str, context: str) -> str:
        """See `Vault.seal_text`."""
        return text

    def open_text(self, text: str, context: str) -> str:
        """See `Vault.open_text`."""
        if text.startswith(TEXT_MARK):
            raise _without_key(context)
        return text


PLAIN = PlainVault()


class SealingVault:
    """Encryption with the first of `keys`; what the others sealed opens as well. Safe for threads.

    `reads_plain` lets through what is not sealed, while a home is being encrypted or decrypted; elsewhere that would
    let anybody put words of his own in the place of sealed ones. `before_first` is called once before anything is
    sealed.
    """

    is_on = True

    def __init__(
        self, keys: Sequence[bytes], *, reads_plain: bool = False, before_first: Callable[[], None] | None = None
    ) -> None:
        self._ring = KeyRing(keys)
        self.reads_plain = reads_plain
        self._before_first = before_first

    def __repr__(self) -> str:
        return f"SealingVault(key {self._ring.current_id.hex()})"

    @property
    def keys(self) -> KeyRing:
        """See `Vault.keys`. Whoever asks is about to write."""
        self._begin()
        return self._ring

    @property
    def key_id(self) -> str:
        """The current key's id, which tells nothing of the key."""
        return self._ring.current_id.hex()

    def seal(self, content: bytes, context: str) -> bytes:
        """See `Vault.seal`."""
        self._begin()
        header = MARK + self._ring.current_id + os.urandom(_NONCE)
        cipher = self._ring.cipher(self._ring.current_id, _purpose(context))
        return header + cipher.encrypt(header[-_NONCE:], content, _associated(header, context))

    def open(self, content: bytes, context: str) -> bytes:
        """See `Vault.open`."""
        if not is_sealed(content):
            if self.reads_plain:
                return content
            raise EncryptionError(
                f"{context} is not sealed, though encryption is on",
                remedy="Whoever wrote it had no key: make it anew, or run `sophia encryption status`",
            )
        header, sealed = content[:_HEADER], content[_HEADER:]
        key_id = header[len(MARK) : len(MARK) + ID_BYTES]
        if len(header) < _HEADER or len(sealed) < _TAG:
            raise _damaged(context)
        from cryptography.exceptions import InvalidTag

        cipher = self._ring.cipher(key_id, _purpose(context))
        try:
            return cipher.decrypt(header[-_NONCE:], sealed, _associated(header, context))
        except InvalidTag:
            raise _damaged(context) from None

    def seal_text(self, text: str, context: str) -> str:
        """See `Vault.seal_text`."""
        sealed = self.seal(text.encode("utf-8", "surrogatepass"), context)
        return TEXT_MARK + base64.urlsafe_b64encode(sealed).decode()

    def open_text(self, text: str, context: str) -> str:
        """See `Vault.open_text`."""
        if not text.startswith(TEXT_MARK):
            return self.open(text.encode("utf-8", "surrogatepass"), context).decode("utf-8", "surrogatepass")
        kept = text[len(TEXT_MARK) :]
        try:
            sealed = base64.b64decode(kept, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _damaged(context) from None
        # Several texts decode to the same bytes; only the one that was written is taken.
        if not is_sealed(sealed) or base64.urlsafe_b64encode(sealed).decode() != kept:
            raise _damaged(context)
        return self.open(sealed, context).decode("utf-8", "surrogatepass")

    def is_current(self, content: bytes) -> bool:
        """Whether the bytes are sealed with the current key."""
        return is_sealed(content) and content[len(MARK) : len(MARK) + ID_BYTES] == self._ring.current_id

    def is_current_text(self, text: str) -> bool:
        """Whether a text is sealed with the current key."""
        start = len(TEXT_MARK)
        characters = -(-(len(MARK) + ID_BYTES) // 3) * 4
        try:
            return text.startswith(TEXT_MARK) and self.is_current(
                base64.urlsafe_b64decode(text[start : start + characters])
            )
        except (binascii.Error, ValueError):
            return False

    def _begin(self) -> None:
        if self._before_first is not None:
            first, self._before_first = self._before_first, None
            first()


def is_sealed(content: bytes) -> bool:
    """Whether bytes are what a vault sealed, or tried to be."""
    return content.startswith(MARK)


def vault_for(settings: Settings, home: Home) -> Vault:
    """The vault of a home, by setting and by what the home was written with.

    Raises EncryptionError where the two do not fit: an encrypted home without its key, a plain one with a key.
    """
    from sophia_assets.encryption.state import opened_vault

    return opened_vault(settings.encryption, home)


def _purpose(context: str) -> str:
    return context.replace(".", "/").partition("/")[0]


def _associated(header: bytes, context: str) -> bytes:
    return header + context.encode("utf-8", "surrogatepass")


def _without_key(context: str) -> EncryptionError:
    return EncryptionError(
        f"{context} is encrypted, and no key is set", remedy="Set SOPHIA_ENCRYPTION_KEY to the key it was written with"
    )


def _damaged(context: str) -> EncryptionError:
    return EncryptionError(
        f"{context} does not open: it was changed, or was sealed for another place",
        remedy="Bring it back from a backup, or make it anew",
    )
