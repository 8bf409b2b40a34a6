"""Changes what a home is written with: encrypts it, renews the key, decrypts it; and tells how it stands.

Belongs here: the order of the steps, the locks, the home's state. Does not belong here: how a part is rewritten
(`rewriting`).

Every step can be killed and run again. The warehouse comes first, since it needs most room: where there is none,
nothing has changed. Until the end both kinds of files are read, with the current key and the older ones.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sophia_assets.encryption import rewriting
from sophia_assets.encryption.dagster_history import holds_content, take_out_content
from sophia_assets.encryption.keys import KeyRing
from sophia_assets.encryption.state import State, holds_data, record, require_installed, state_of
from sophia_assets.encryption.vault import MARK, SealingVault, is_sealed
from sophia_assets.errors import ConfigurationError, EncryptionError
from sophia_assets.home import Home
from sophia_assets.warehouse.fault_points import reach

if TYPE_CHECKING:
    from sophia_assets.control.store import ControlStore
    from sophia_assets.settings import Settings
    from sophia_assets.settings.encryption import EncryptionSettings

Change = Literal["encrypt", "rotate", "decrypt"]
Say = Callable[[str], None]
_LOCK_SECONDS = 60.0
_BEFORE: dict[Change, tuple[State, ...]] = {
    "encrypt": ("plain", "encrypting", "encrypted"),
    "rotate": ("encrypted",),
    "decrypt": ("encrypted", "encrypting", "decrypting"),
}


@dataclass(frozen=True)
class Standing:
    """How a home stands: its files by what they are sealed with (`current`, `older`, `unknown` keys, or `plain`)."""

    home: Path
    state: State
    files: Counter[str]
    warehouse: str
    dagster_holds_content: bool

    def as_json(self) -> dict[str, Any]:
        """The standing as the command line prints it."""
        return {
            "home": str(self.home),
            "state": self.state,
            "warehouse": self.warehouse,
            "files": {name: self.files[name] for name in ("current", "older", "unknown", "plain")},
            "dagster_holds_content": self.dagster_holds_content,
        }


def homes(settings: Settings) -> list[Home]:
    """Every home below SOPHIA_HOME that holds anything, the base home first."""
    found = [settings.base_home, *sorted((settings.base_home / "companies").glob("*/"))]
    every = [Home(path) for path in found if path.is_dir()]
    return [home for home in every if holds_data(home) or (home.path / "encryption.json").exists()]


def standing(settings: Settings, home: Home) -> Standing:
    """How a home stands. Raises EncryptionError where its state cannot be opened with the keys that are set."""
    ring = KeyRing(settings.encryption.keys) if settings.encryption.is_on else None
    files = Counter(_sealed_with(file.path, ring) for file in rewriting.sealed_files(home))
    try:
        content = holds_content(home.dagster)
    except sqlite3.Error:
        content = True
    state = state_of(settings.encryption, home)
    return Standing(home.path, state, files, _warehouse(home, ring), content)


def change(settings: Settings, home: Home, kind: Change, store: ControlStore | None, say: Say) -> Counter[str]:
    """Carries out a change, or goes on with one; how many files, rows and events it rewrote.

    Raises EncryptionError where the home's state does not allow it, SophiaError while a run works in the home.
    """
    from sophia_assets.daily_run import only_run

    encryption = _checked(settings)
    with only_run(home):
        state = state_of(encryption, home)
        if state not in _BEFORE[kind]:
            raise _not_allowed(home, kind, state)
        # In a home that is encrypted already, what is plain was put there by somebody without the key.
        vault = SealingVault(encryption.keys, reads_plain=state != "encrypted")
        done: Counter[str] = Counter()
        _begin(home, encryption, kind, state)
        try:
            _rewrite_warehouse(home, vault, kind, done, say)
        except EncryptionError:
            # It comes first, so that nothing else has changed: the home stands as it stood.
            record(home, encryption, state)
            raise
        _rewrite_rest(home, vault, kind, store, done, say)
        record(home, encryption, "plain" if kind == "decrypt" else "encrypted")
        reach("state_recorded")
        return done


def _checked(settings: Settings) -> EncryptionSettings:
    if not settings.encryption.is_on:
        raise ConfigurationError(
            "SOPHIA_ENCRYPTION_KEY is not set", remedy="Set it, or SOPHIA_ENCRYPTION_KEY_FILE; see .env.example"
        )
    require_installed()
    return settings.encryption


def _begin(home: Home, encryption: EncryptionSettings, kind: Change, state: State) -> None:
    if kind == "encrypt" and state == "plain":
        record(home, encryption, "encrypting")
    if kind == "decrypt" and state != "decrypting":
        record(home, encryption, "decrypting")
    reach("change_begun")


def _rewrite_warehouse(home: Home, vault: SealingVault, kind: Change, done: Counter[str], say: Say) -> None:
    from sophia_assets.warehouse.lock import FileLock

    if not home.warehouse_file.exists():
        return
    with FileLock(home.warehouse_file, wait_seconds=_LOCK_SECONDS).exclusive():
        rewriting.remove_unfinished_reads(home)
        if rewriting.rewrite_warehouse(home.warehouse_file, vault, plain=kind == "decrypt"):
            done["warehouse"] += 1
            say(f"{home.warehouse_file}: rewritten")


def _rewrite_rest(
    home: Home, vault: SealingVault, kind: Change, store: ControlStore | None, done: Counter[str], say: Say
) -> None:
    plain = kind == "decrypt"
    if not home.warehouse_file.exists():
        rewriting.remove_unfinished_reads(home)
    for file in rewriting.sealed_files(home):
        try:
            done["files"] += rewriting.rewrite_file(file, vault, plain=plain)
        except OSError as error:
            raise EncryptionError(
                f"{file.path} could not be rewritten ({error.strerror}); it is as it was, and everything can be read",
                remedy="Make room on its disk, then run this again: it goes on from there",
            ) from None
    say(f"{home.path}: {done['files']:,} files rewritten")
    if store is not None:
        done["rows"] += rewriting.rewrite_control(store, vault, plain=plain)
    if kind == "encrypt" and home.dagster.is_dir():
        done["events"] += take_out_content(home.dagster)
        say(f"{home.dagster}: content taken out of {done['events']:,} events")


def _not_allowed(home: Home, kind: Change, state: State) -> EncryptionError:
    if kind == "rotate" and state in ("encrypting", "decrypting"):
        return EncryptionError(
            f"{home.path} is half way: {state}",
            remedy=f"Finish that with `sophia encryption {state.removesuffix('ing')}` first",
        )
    if state == "decrypting":
        return EncryptionError(
            f"{home.path} is being decrypted", remedy="Finish that with `sophia encryption decrypt` first"
        )
    return EncryptionError(f"{home.path} is not encrypted", remedy="Encrypt it with `sophia encryption encrypt`")


def _sealed_with(path: Path, ring: KeyRing | None) -> str:
    with path.open("rb") as file:
        head = file.read(64)
    if not is_sealed(head):
        return "plain"
    key_id = head[len(MARK) : len(MARK) + 8]
    ids = ring.ids if ring else ()
    return "current" if key_id in ids[:1] else "older" if key_id in ids else "unknown"


def _warehouse(home: Home, ring: KeyRing | None) -> str:
    from sophia_assets.warehouse import duckdb_connection

    if not home.warehouse_file.exists():
        return "none"
    if duckdb_connection.is_plain(home.warehouse_file):
        return "plain"
    for number, key in enumerate(ring.warehouse_keys() if ring else ()):
        if _opens(home.warehouse_file, key):
            return "older" if number else "current"
    return "unknown"


def _opens(path: Path, key: str) -> bool:
    import duckdb

    from sophia_assets.warehouse import duckdb_connection

    with duckdb.connect() as instance:
        try:
            duckdb_connection.attach(instance, path, "tried", [key], read_only=True)
        except EncryptionError:
            return False
    return True


def each(settings: Settings, kind: Change) -> Iterator[Home]:
    """The homes that a change concerns. Raises ConfigurationError where no key is set."""
    encryption = _checked(settings)
    for home in homes(settings):
        if kind != "decrypt" or state_of(encryption, home) != "plain":
            yield home
