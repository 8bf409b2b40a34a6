"""What bears witness to the audit trail elsewhere: signed checkpoints, and where the trail stood last.

Belongs here: the files. Does not belong here: the trail (`audit_chain`). A chain of codes alone does not show that its
newest entries were cut off, or that a whole store was put back to what it was last week; these files do, the more so
on another disk. Per chain there is a folder: `checkpoints.jsonl`, only ever appended to, and `witness.json`, which
tells of the last commit. The trail's head knows how many checkpoints there must be.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from sophia_assets.access.audit_keys import AuditKey
from sophia_assets.errors import AuditUnavailable

SERIES, WITNESS = "checkpoints.jsonl", "witness.json"
CHECKPOINT_ENTRIES = 1000


@dataclass(frozen=True)
class Standing:
    """Where a chain stands: the number of its last entry, the entry's code, the digest of all codes."""

    chain: str
    seq: int
    mac: str
    root: str


@dataclass(frozen=True)
class Known:
    """The newest checkpoint that is known to be on the disk, and the number of the entry that it is of."""

    number: int
    digest: str
    seq: int


class Checkpoints:
    """The files under `folder`. Threads may share it; processes take turns by a lock on a file."""

    def __init__(self, folder: Path, every: int = CHECKPOINT_ENTRIES) -> None:
        self.folder = folder
        self._every = every
        self._lock = threading.Lock()
        self._known: dict[str, Known] = {}
        self._pending: tuple[Standing, AuditKey] | None = None
        self._problem = ""

    def known(self, chain: str) -> Known | None:
        """The newest checkpoint of a chain that this process knows of."""
        return self._known.get(chain)

    def refuse_if_failing(self) -> None:
        """Tries anew what could not be written last time. Raises AuditUnavailable where it still cannot."""
        if self._pending:
            self.witness(*self._pending)
        if self._problem:
            raise AuditUnavailable(
                f"what bears witness to the audit trail cannot be written: {self._problem}",
                remedy="See that SOPHIA_AUDIT_CHECKPOINTS names a folder that can be written, with room on its disk",
            )

    def witness(self, standing: Standing, key: AuditKey, *, must_make: bool = False) -> None:
        """Tells where a chain stands now; makes a checkpoint where one is due, or must be made.

        What cannot be written is not raised, since the entries are kept already: the next one is refused.
        """
        with self._lock:
            try:
                with self._locked(standing.chain) as folder:
                    self._tell(folder, standing, key, must_make)
                self._pending, self._problem = None, ""
            except OSError as error:
                self._pending = (standing, key)
                self._problem = f"{error.filename or self.folder}: {error.strerror or error}"

    def last_seen(self, chain: str, keys: Mapping[str, AuditKey]) -> Standing | None:
        """Where a chain stood at the last commit that was told of; None where nothing trustworthy tells."""
        told = read_witness(self.folder / chain)
        if told is None or not is_sealed(told, keys):
            return None
        return Standing(chain, told["seq"], str(told["mac"]), str(told["root"]))

    def make(self, standing: Standing, key: AuditKey) -> None:
        """Makes a checkpoint, unless there is one of this standing."""
        known = self._known.get(standing.chain)
        if known is None or known.seq < standing.seq:
            self.witness(standing, key, must_make=True)

    def _tell(self, folder: Path, standing: Standing, key: AuditKey, must_make: bool) -> None:
        last = self._known.get(standing.chain)
        due = must_make or last is None or standing.seq - last.seq >= self._every
        if due:
            last = _last_of(folder / SERIES)
            if last is None or standing.seq > last.seq:
                last = _appended(folder / SERIES, standing, key, last)
            self._known[standing.chain] = last
        told = read_witness(folder)
        if told and told["seq"] > standing.seq and is_sealed(told, {key.id: key}):
            if not due:
                return
            standing = Standing(standing.chain, told["seq"], told["mac"], told["root"])
        assert last is not None
        body = {**asdict(standing), "checkpoints": last.number, "key_id": key.id}
        _replace(folder / WITNESS, signed(body, key), synced=due)

    @contextmanager
    def _locked(self, chain: str) -> Iterator[Path]:
        folder = self.folder / chain
        try:
            lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(lock)


def signed(body: Mapping[str, Any], key: AuditKey) -> bytes:
    """A JSON object on one line, with the code over all the rest of it."""
    return orjson.dumps({**body, "seal": code_of(body, key)}, option=orjson.OPT_SORT_KEYS) + b"\n"


def code_of(body: Mapping[str, Any], key: AuditKey) -> str:
    """The code over an object, whatever its `seal`."""
    rest = {name: value for name, value in body.items() if name != "seal"}
    return hmac.digest(key.checkpoints, orjson.dumps(rest, option=orjson.OPT_SORT_KEYS), "sha256").hex()


def is_sealed(body: Mapping[str, Any], keys: Mapping[str, AuditKey]) -> bool:
    """Whether nobody has changed an object, as far as one of these keys can tell."""
    key = keys.get(str(body.get("key_id")))
    return key is not None and hmac.compare_digest(str(body.get("seal")).encode(), code_of(body, key).encode())


def line_digest(line: bytes) -> str:
    """What the next checkpoint, and the head, know a checkpoint by."""
    return sha256(line.rstrip(b"\n")).hexdigest()


def read_witness(folder: Path) -> dict[str, Any] | None:
    """The object in a chain's witness; None where it is absent or torn, or cannot be read (nor be written then)."""
    try:
        found = orjson.loads((folder / WITNESS).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("seq"), int):
        return None
    return {"mac": "", "root": "", **found}


def _last_of(series: Path) -> Known | None:
    """The newest whole checkpoint of a series."""
    try:
        with series.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    for line in reversed(lines):
        try:
            found = orjson.loads(line)
            return Known(int(found["number"]), line_digest(line), int(found["seq"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue
    return None


def _appended(series: Path, standing: Standing, key: AuditKey, last: Known | None) -> Known:
    body = {
        **asdict(standing),
        "number": last.number + 1 if last else 1,
        "previous": last.digest if last else "",
        "at": datetime.now(UTC).isoformat(),
        "key_id": key.id,
    }
    line = signed(body, key)
    descriptor = os.open(series, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # a line that was torn by a power cut stays apart
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return Known(body["number"], line_digest(line.lstrip(b"\n")), standing.seq)


def _replace(path: Path, content: bytes, *, synced: bool) -> None:
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        if synced:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
