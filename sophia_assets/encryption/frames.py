"""Frames that one process hands to another through a file: sealed with a key that lies on no disk.

The key serves one file, and is told through the pipe between the two processes.
"""

from __future__ import annotations

import os
from pathlib import Path

_NONCE = bytes(12)  # of a key that seals once


def seal_frame(file: Path, content: bytes) -> bytes:
    """Writes the content sealed; the key that opens it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = os.urandom(32)
    file.write_bytes(AESGCM(key).encrypt(_NONCE, content, file.name.encode()))
    return key


def open_frame(file: Path, key: bytes) -> bytes:
    """What was sealed. Raises `cryptography.exceptions.InvalidTag` for what was changed."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    content: bytes = AESGCM(key).decrypt(_NONCE, file.read_bytes(), file.name.encode())
    return content
