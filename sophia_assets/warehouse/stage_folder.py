"""The folders in which unfinished reads are kept: found again, locked, journaled, and removed.

A stage is a folder with a manifest (what is being read), a journal (how far) and the spooled files.
The lock is on the folder itself and is freed by the operating system when its holder dies.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.errors import EncryptionError
from sophia_assets.sources.declarations import Window
from sophia_assets.warehouse.fault_points import reach
from sophia_assets.warehouse.interface import Load, LoadKey

# An older stage is not gone on with: its window would end too long ago, and the vendor's cursors have expired.
OLDEST = timedelta(hours=24)

_MANIFEST = "manifest.json"
_JOURNAL = "journal.jsonl"
_PRIVATE = "private-"
# A journal that is longer begins anew with the line that counts, which is the last one.
_LONGEST_JOURNAL = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What a stage is reading, fixed when it began. `started_at` is UTC and aware.

    `ledger_rows` is how many the ledger had then: what was stored meanwhile lies behind them.
    """

    load_id: str
    window: Window
    fingerprint: str
    started_at: datetime
    account: str
    ledger_rows: int

    @property
    def is_recent(self) -> bool:
        return abs(datetime.now(UTC) - self.started_at) < OLDEST


class StageFolder:
    """One locked stage; `entry` is its last journal line, or None where it begins. `vault` seals what is in it."""

    def __init__(
        self, path: Path, descriptor: int, manifest: Manifest | None, *, private: bool, vault: Vault = PLAIN
    ) -> None:
        self.path = path
        self.vault = vault
        self.private = private
        self.manifest = manifest
        self.entry: Mapping[str, Any] | None = None
        self._descriptor = descriptor
        self._journal: int | None = None

    def begin(self, manifest: Manifest) -> None:
        """Empties the folder and writes the manifest."""
        self._empty()
        start = manifest.window.start
        content = {
            "load_id": manifest.load_id,
            "start": start.isoformat() if start else None,
            "end": manifest.window.end.isoformat(),
            "fingerprint": manifest.fingerprint,
            "started_at": manifest.started_at.isoformat(),
            "account": manifest.account,
            "ledger_rows": manifest.ledger_rows,
        }
        draft = self.path / f"{_MANIFEST}.new"
        draft.write_bytes(self.vault.seal(orjson.dumps(content), context_of(self.path, _MANIFEST)))
        draft.rename(self.path / _MANIFEST)
        self.manifest, self.entry = manifest, None

    def write(self, entry: Mapping[str, Any]) -> None:
        """Appends a line to the journal: what it tells of is kept from here on."""
        if self._journal is None:
            self._journal = self._open_journal()
        line = self._line(entry)
        if os.fstat(self._journal).st_size > _LONGEST_JOURNAL:
            self._begin_journal_anew()
        half = len(line) // 2
        reach("before_journal_line")
        _write_all(self._journal, line[:half])
        reach("journal_line_half_written")
        _write_all(self._journal, line[half:])
        reach("checkpoint_written")
        self.entry = entry

    def _begin_journal_anew(self) -> None:
        """Leaves out all lines but the last, in a way that a kill finds either journal whole."""
        assert self._journal is not None
        draft = self.path / f"{_JOURNAL}.new"
        draft.write_bytes(self._line(self.entry))
        draft.rename(self.path / _JOURNAL)
        journal, self._journal = self._journal, None
        os.close(journal)
        self._journal = self._open_journal()

    def _line(self, entry: Mapping[str, Any] | None) -> bytes:
        # What JSON cannot hold, a lone surrogate, is refused here; sealed, a line is a line still.
        return self.vault.seal_text(orjson.dumps(entry).decode(), context_of(self.path, _JOURNAL)).encode() + b"\n"

    def _open_journal(self) -> int:
        return os.open(self.path / _JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def read_journal(self) -> None:
        """Takes the last whole line as `entry` and cuts off one that was being written."""
        journal = self.path / _JOURNAL
        if not journal.exists():
            return
        content = journal.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(journal, len(whole))
        if whole:
            last = whole.splitlines()[-1].decode("utf-8", "replace")
            self.entry = orjson.loads(self.vault.open_text(last, context_of(self.path, _JOURNAL)))

    def remove(self) -> None:
        """Removes the stage. The manifest goes first: without it, the rest is nothing but rubbish."""
        (self.path / _MANIFEST).unlink(missing_ok=True)
        reach("clean_up_half_done")
        self._empty()
        # What could not be removed is swept later: a load that was committed has not failed for it.
        with suppress(OSError):
            self.path.rmdir()

    def close(self) -> None:
        """Frees the lock. What is in the folder stays."""
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None
        os.close(self._descriptor)

    def _empty(self) -> None:
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


class StageFolders:
    """All stages of one warehouse file, below `root`."""

    def __init__(self, root: Path, vault: Vault = PLAIN) -> None:
        self.root = root
        self._vault = vault

    def find(self, key: LoadKey, fingerprint: str) -> StageFolder | None:
        """The locked stage that an earlier load of `key` left, if it is recent, whole and nobody's; close it.

        One of another account is none; `open` then begins anew in its place.
        """
        path = self._path(key)
        if not (path / _MANIFEST).exists():
            return None
        descriptor = _lock(path)
        if descriptor is None:
            return None
        manifest = _manifest(path, self._vault)
        folder = StageFolder(path, descriptor, manifest, private=False, vault=self._vault)
        is_of_use = manifest is not None and manifest.is_recent and manifest.fingerprint == fingerprint
        if manifest is None or not is_of_use or manifest.account != key.account:
            folder.close()
            return None
        try:
            folder.read_journal()
        except EncryptionError:
            # Of a key that is not known, or changed by hand: it is read anew.
            folder.close()
            return None
        return folder

    def open(self, load: Load, fingerprint: str, ledger_rows: int) -> StageFolder:
        """The stage to go on with, or an empty one: a private one where another process is reading the same."""
        self.sweep()
        if load.key is not None:
            found = self.find(load.key, fingerprint)
            if found is not None and found.manifest is not None and found.manifest.load_id == load.id:
                return found
            if found is not None:
                found.close()
            folder = self._create(self._path(load.key), private=False)
        else:
            folder = None
        while folder is None:
            folder = self._create(self.root / f"{_PRIVATE}{uuid.uuid4().hex}", private=True)
        account = load.key.account if load.key else ""
        folder.begin(Manifest(load.id, load.window, fingerprint, datetime.now(UTC), account, ledger_rows))
        return folder

    def sweep(self) -> None:
        """Removes stages that nobody will go on with: dead processes' private ones, half removed and too old ones."""
        if not self.root.exists():
            return
        for path in list(self.root.iterdir()):
            is_young = abs(time.time() - _modified(path)) < OLDEST.total_seconds()
            if is_young and not path.name.startswith(_PRIVATE) and (path / _MANIFEST).exists():
                continue
            descriptor = _lock(path)
            if descriptor is None:
                continue
            folder = StageFolder(path, descriptor, None, private=True)
            with suppress(OSError):
                folder.remove()
            folder.close()

    def _create(self, path: Path, *, private: bool) -> StageFolder | None:
        """The folder, made where it is not there, locked; None where another process holds it."""
        while True:
            path.mkdir(parents=True, exist_ok=True)
            descriptor = _lock(path)
            if descriptor is not None:
                return StageFolder(path, descriptor, None, private=private, vault=self._vault)
            if path.exists():
                return None

    def _path(self, key: LoadKey) -> Path:
        start = key.span.start.isoformat() if key.span.start else ""
        text = f"{start}|{key.span.end.isoformat()}"
        return self.root / f"{key.system}.{key.group}.{blake2b(text.encode(), digest_size=8).hexdigest()}"


def _lock(path: Path) -> int | None:
    """A descriptor that holds the folder's lock; None where another holds it, or the folder is being removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def context_of(folder: Path, name: str) -> str:
    """What a stage's file is sealed for."""
    return f"staging/{folder.name}/{name}"


def _manifest(path: Path, vault: Vault) -> Manifest | None:
    try:
        content = orjson.loads(vault.open((path / _MANIFEST).read_bytes(), context_of(path, _MANIFEST)))
        start = datetime.fromisoformat(content["start"]) if content["start"] else None
        return Manifest(
            load_id=content["load_id"],
            window=Window(start, datetime.fromisoformat(content["end"])),
            fingerprint=content["fingerprint"],
            started_at=datetime.fromisoformat(content["started_at"]),
            account=content["account"],
            ledger_rows=content["ledger_rows"],
        )
    except (OSError, ValueError, KeyError, TypeError, EncryptionError):
        return None


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return time.time()


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
