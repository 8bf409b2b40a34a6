"""Files that are written piece by piece and read back the same way, sealed on their way to the disk.

Belongs here: the stream's form. Does not belong here: what is written.

A file has a key of its own, derived from a random salt and the context. It is a mark, the key's id, the salt, then
frames: the length of the sealed bytes (4 bytes, big-endian) and AES-256-GCM's output, the frame's number being the
nonce. A file that is cut at a frame's end opens up to there: how long it has to be is for its owner to know.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sophia_assets.encryption.keys import ID_BYTES
from sophia_assets.errors import EncryptionError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from sophia_assets.encryption.keys import KeyRing
    from sophia_assets.encryption.vault import Vault

MARK = b"\x89SOPHIS\x01"
_SALT = 16
_LENGTH = 4
_FRAME = 1 << 18
_LARGEST_FRAME = 1 << 26
_PURPOSE = "streams"


def is_sealed_stream(path: Path) -> bool:
    """Whether a file is such a stream. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(MARK)) == MARK


def create(vault: Vault, path: Path, context: str) -> BinaryIO:
    """A new file to write to. `size_of` says how long it is on disk."""
    keys = vault.keys
    return path.open("wb") if keys is None else SealedWriter(keys, path, context)


def size_of(file: BinaryIO) -> int:
    """How many bytes of a file that `create` gave are on disk, all that was written included."""
    file.flush()
    return file.size if isinstance(file, SealedWriter) else file.tell()


def read(vault: Vault, path: Path, context: str) -> BinaryIO:
    """A file to read from. Raises EncryptionError, also while reading, for one that was changed."""
    keys = vault.keys
    if keys is None:
        if is_sealed_stream(path):
            raise EncryptionError(f"{context} is encrypted, and no key is set", remedy="Set SOPHIA_ENCRYPTION_KEY")
        return path.open("rb")
    return io.BufferedReader(_SealedReader(keys, path, context), _FRAME)


class SealedWriter(io.RawIOBase, BinaryIO):
    """Seals what is written, a frame at a time; `flush` ends the frame. `tell` counts what was written, unsealed."""

    def __init__(self, keys: KeyRing, path: Path, context: str) -> None:
        super().__init__()
        salt = os.urandom(_SALT)
        self._cipher = _cipher(keys, keys.current_id, salt, context)
        self._file = path.open("wb", buffering=0)
        self._held = bytearray()
        self._frames = self._written = 0
        self.size = 0
        self._put(MARK + keys.current_id + salt)

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._file.name)

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """How much was written, before sealing."""
        return self._written

    def write(self, data: object) -> int:
        """Takes bytes. Raises OSError where the disk is full."""
        view = memoryview(data)  # type: ignore[arg-type]
        self._held += view
        self._written += view.nbytes
        if len(self._held) >= _FRAME:
            self.flush()
        return view.nbytes

    def flush(self) -> None:
        """Ends the frame: what was written so far is out of this process's hands."""
        if self.closed or not self._held:
            return
        sealed = self._cipher.encrypt(_nonce(self._frames), bytes(self._held), None)
        self._put(len(sealed).to_bytes(_LENGTH, "big") + sealed)
        self._frames += 1
        self._held.clear()

    def close(self) -> None:
        """Writes out what is held, and closes."""
        if self.closed:
            return
        try:
            self.flush()
        finally:
            self._file.close()
            super().close()

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self.size += len(data)


class _SealedReader(io.RawIOBase):
    def __init__(self, keys: KeyRing, path: Path, context: str) -> None:
        super().__init__()
        self._context = context
        self._file = path.open("rb")
        header = self._file.read(len(MARK) + ID_BYTES + _SALT)
        if header[: len(MARK)] != MARK or len(header) < len(MARK) + ID_BYTES + _SALT:
            self._file.close()
            raise self._damaged()
        try:
            self._cipher = _cipher(keys, header[len(MARK) : -_SALT], header[-_SALT:], context)
        except EncryptionError:
            self._file.close()
            raise
        self._frame = memoryview(b"")
        self._frames = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        if not self._frame:
            self._frame = memoryview(self._next())
        target = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        part = self._frame[: len(target)]
        target[: len(part)] = part
        self._frame = self._frame[len(part) :]
        return len(part)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            super().close()

    def _next(self) -> bytes:
        """The next frame's content; empty at the end."""
        from cryptography.exceptions import InvalidTag

        head = self._file.read(_LENGTH)
        if not head:
            return b""
        length = int.from_bytes(head, "big")
        sealed = self._file.read(length) if length <= _LARGEST_FRAME else b""
        if len(head) < _LENGTH or len(sealed) < length or not sealed:
            raise self._damaged()
        try:
            content: bytes = self._cipher.decrypt(_nonce(self._frames), sealed, None)
        except InvalidTag:
            raise self._damaged() from None
        self._frames += 1
        return content

    def _damaged(self) -> EncryptionError:
        return EncryptionError(
            f"{self._context} does not open: it was changed, cut off, or sealed for another place",
            remedy="Run again: it is read anew",
        )


def _cipher(keys: KeyRing, key_id: bytes, salt: bytes, context: str) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(keys.derived(key_id, f"{_PURPOSE}/{context}", salt=salt))


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")
