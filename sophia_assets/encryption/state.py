"""What a home was written with, in its file `encryption.json`, and whether that fits the key that is set.

Belongs here: the states of a home and what is said where key and home do not fit. Does not belong here: going from one
state to another (`rotation`).

The file says `encrypted`, or `encrypting` or `decrypting` while a change is under way and both kinds of files are
read. It is sealed itself: whoever can write files but has no key cannot make the platform read plain ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sophia_assets.encryption.keys import not_installed
from sophia_assets.encryption.vault import PLAIN, SealingVault, Vault
from sophia_assets.errors import EncryptionError
from sophia_assets.home import write_atomically
from sophia_assets.settings import read_json

if TYPE_CHECKING:
    from sophia_assets.home import Home
    from sophia_assets.settings.encryption import EncryptionSettings

State = Literal["plain", "encrypted", "encrypting", "decrypting"]
FILE = "encryption.json"
_CONTEXT = "state/encryption.json"
_UNDER_WAY = ("encrypting", "decrypting")


def opened_vault(settings: EncryptionSettings, home: Home) -> Vault:
    """The vault of a home. Raises EncryptionError where its files and the keys that are set do not fit."""
    stored = _stored(home)
    if not settings.is_on:
        if stored is None:
            return PLAIN
        raise EncryptionError(
            f"{home.path} is encrypted, and no key is set",
            remedy="Set SOPHIA_ENCRYPTION_KEY, or SOPHIA_ENCRYPTION_KEY_FILE, to the key it was encrypted with",
        )
    require_installed()
    if stored is None and holds_data(home):
        raise EncryptionError(
            f"{home.path} is not encrypted, and a key is set",
            remedy="Run `sophia encryption encrypt`, or unset SOPHIA_ENCRYPTION_KEY",
        )
    vault = SealingVault(settings.keys, before_first=None if stored else lambda: record(home, settings, "encrypted"))
    if stored is not None:
        vault.reads_plain = _checked(vault, stored, home) in _UNDER_WAY
    return vault


def state_of(settings: EncryptionSettings, home: Home) -> State:
    """How a home stands. Raises EncryptionError where its state cannot be opened with the keys that are set."""
    stored = _stored(home)
    if stored is None:
        return "plain"
    if not settings.is_on:
        return "encrypted"
    return _checked(SealingVault(settings.keys), stored, home)


def record(home: Home, settings: EncryptionSettings, state: State) -> None:
    """Writes down how a home stands. Raises OSError where the disk is full: it then stands as before."""
    path = home.path / FILE
    if state == "plain":
        path.unlink(missing_ok=True)
        return
    vault = SealingVault(settings.keys)
    content = {"state": state, "key": vault.key_id, "seal": vault.seal_text(state, _CONTEXT)}
    write_atomically(path, json.dumps(content, indent=1))


def holds_data(home: Home) -> bool:
    """Whether anything of a company lies in a home."""
    return any(True for _ in _data(home))


def extension() -> Path:
    """The signed extension with which DuckDB encrypts. Raises EncryptionError where it is not installed."""
    from importlib.util import find_spec

    import duckdb

    found = find_spec("duckdb_extension_httpfs")
    places = list(found.submodule_search_locations or ()) if found else []
    for place in places:
        path = Path(place) / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
        if path.is_file():
            return path
    raise not_installed(f"duckdb-extension-httpfs {duckdb.__version__}")


def require_installed() -> None:
    """Raises EncryptionError where a part of the extra is missing."""
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise not_installed("cryptography")
    if find_spec("duckdb_extension_httpfs") is None:
        raise not_installed("duckdb-extension-httpfs")


def _data(home: Home) -> Iterator[Path]:
    if home.warehouse_file.exists():
        yield home.warehouse_file
    for pattern in ("facts/*.parquet", "briefings/**/briefing.json", "staging/*/*", "quality/*/*.json"):
        yield from home.path.glob(pattern)


def _stored(home: Home) -> dict[str, str] | None:
    path = home.path / FILE
    if not path.exists():
        return None
    return read_json(path) or {}


def _checked(vault: SealingVault, stored: dict[str, str], home: Home) -> State:
    try:
        state = vault.open_text(str(stored.get("seal", "")), _CONTEXT)
    except EncryptionError as error:
        raise EncryptionError(
            f"{home.path} is encrypted, and not with the key that is set ({error.message})",
            remedy="Set SOPHIA_ENCRYPTION_KEY to its key, or add that to SOPHIA_ENCRYPTION_OLD_KEYS",
        ) from None
    if state not in ("encrypted", *_UNDER_WAY):
        raise EncryptionError(f"{home.path / FILE} holds no state that is known: {state!r}", remedy="Update Sophia")
    return state  # type: ignore[return-value]
