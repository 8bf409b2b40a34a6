"""Taking entries of the audit trail out of the store: archives, which stay in the chain, and putting a trail aside.

Belongs here: writing and reading these files, which lie beside the chain's checkpoints. Does not belong here: verifying
them (`audit_verification`). An archive is one JSON array per line: the columns of an entry, as it was signed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, func, select

from sophia_assets.access.audit_chain import Chain, Entry, next_root, read_head, stamp
from sophia_assets.access.audit_checkpoints import is_sealed, signed
from sophia_assets.access.audit_keys import AuditKey
from sophia_assets.access.audit_testimony import chains_in
from sophia_assets.access.principal import Principal
from sophia_assets.control.schema import audit, audit_head
from sophia_assets.errors import AuditUnavailable, ConfigurationError

if TYPE_CHECKING:
    from sophia_assets.control.store import ControlStore

COLUMNS = tuple(column.name for column in audit.columns)
ENDED, PUT_ASIDE = "ended.json", "put-aside.jsonl"
_ARCHIVE = re.compile(r"archive-(\d{12})-(\d{12})\.jsonl")
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Archived:
    """What was archived: how many entries, the numbers of the first and the last, and the file."""

    entries: int
    first: int
    last: int
    path: Path | None


def archive(store: ControlStore, chain: Chain, before: datetime, by: str, reason: str) -> Archived:
    """Moves the entries before a moment (aware) to a file; the store's chain then starts after them.

    Raises ConfigurationError where nothing is that old, AuditUnavailable where the trail or the file cannot be written.
    """
    with store.snapshot() as connection:
        head = read_head(connection)
        if head is None:
            raise ConfigurationError("there is no audit trail yet", remedy="It begins with the first access or deed")
        newer = select(func.min(audit.c.seq)).where(audit.c.at >= stamp(before))
        first_kept = connection.execute(newer).scalar()
        last = (head.seq + 1 if first_kept is None else int(first_kept)) - 1
        if last < head.start_seq:
            raise ConfigurationError(
                f"no entry is from before {stamp(before)[:19]} UTC", remedy="Name a later day; nothing was changed"
            )
        path = chain.checkpoints.folder / head.chain / f"archive-{head.start_seq:012}-{last:012}.jsonl"
        _remove_leftovers(path.parent, head.start_seq)
        mac, root, count = _write(path, _rows(connection, last), head.start_root)
    done = Archived(count, head.start_seq, last, path)

    def work(connection: Connection) -> None:
        held, keys = chain.hold(connection)
        if (held.chain, held.start_seq) != (head.chain, head.start_seq) or count != last - head.start_seq + 1:
            raise AuditUnavailable(
                "the audit trail was changed while it was archived", remedy="Run `sophia audit verify`, then this again"
            )
        connection.execute(audit.delete().where(audit.c.seq <= last))
        chain.put(connection, replace(held, start_seq=last + 1, start_mac=mac, start_root=root), keys.current)
        details = {"reason": reason, "entries": count, "first": done.first, "last": last, "file": path.name}
        chain.append(connection, [_deed(by, "audit.archive", path.name, details)])

    store.run(work)
    return done


def restart(store: ControlStore, chain: Chain, by: str, reason: str, findings: int) -> list[str]:
    """Puts the trail aside as it is, with all that bears witness to it, and begins a new one; gives the old chains.

    For when the trail cannot be continued: its key is lost, or it was changed from outside. Who did it and why is the
    new trail's first entry, and `verify` goes on telling of it.
    """
    keys = chain.keys.read(may_make=True)
    if keys is None:
        raise AuditUnavailable("the audit trail has no key", remedy="Set SOPHIA_AUDIT_KEY")
    folder = chain.checkpoints.folder

    def work(connection: Connection) -> list[str]:
        head = read_head(connection, hold=True)
        old = {name for name in chains_in(folder) if read_end(folder / name, keys.known) is None}
        name = head.chain if head is not None and re.fullmatch(r"[0-9a-f]{32}", head.chain) else "f" * 32
        last = connection.execute(select(func.max(audit.c.seq))).scalar()
        if head is not None or last is not None:
            old.add(name)
            _write(folder / name / PUT_ASIDE, _rows(connection, None), "")
        end = {"at": datetime.now(UTC).isoformat(), "by": by, "reason": reason, "findings": findings}
        for chain_name in sorted(old):
            _end(folder / chain_name, {**end, "chain": chain_name}, keys.current)
        connection.execute(audit.delete())
        connection.execute(audit_head.delete())
        details = {"reason": reason, "put_aside": sorted(old), "findings": findings}
        chain.append(connection, [_deed(by, "audit.restart", "audit", details)])
        return sorted(old)

    return store.run(work)


def archives_in(folder: Path) -> list[Path]:
    """The archives of a chain, in order."""
    return sorted(path for path in folder.glob("archive-*.jsonl") if _ARCHIVE.fullmatch(path.name))


def read_archive(path: Path, found: Callable[[str], None]) -> Iterator[Sequence[Any]]:
    """The entries in an archive, in order; lines that are none are told of by `found`."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                row = None
            if isinstance(row, list) and len(row) == len(COLUMNS):
                yield row
            else:
                found(f"line {number} of {path} is no entry")


def read_end(folder: Path, keys: Mapping[str, AuditKey]) -> dict[str, Any] | None:
    """Who put a chain aside, when and why; None where nobody did, as far as these keys can tell."""
    try:
        told = orjson.loads((folder / ENDED).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(told, dict) or told.get("chain") != folder.name or not is_sealed(told, keys):
        return None
    return told


def _deed(by: str, action: str, target: str, details: Mapping[str, Any]) -> Entry:
    return Entry.of(Principal(by, "", "operator"), action, target, "allowed", details)


def _rows(connection: Connection, last: int | None) -> Iterator[Sequence[Any]]:
    query = select(*audit.columns).order_by(audit.c.seq).execution_options(yield_per=_AT_ONCE)
    yield from connection.execute(query if last is None else query.where(audit.c.seq <= last))


def _write(path: Path, rows: Iterator[Sequence[Any]], root: str) -> tuple[str, str, int]:
    """Writes rows to a file, whole or not at all; gives the last code, the digest of all codes, and the count."""
    mac, count = "", 0
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for row in rows:
                file.write(orjson.dumps(list(row), default=str) + b"\n")
                mac, count = str(row[-1]), count + 1
                root = next_root(root, mac)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise AuditUnavailable(
            f"{path} cannot be written: {error.strerror}", remedy="See that the folder can be written; nothing was done"
        ) from None
    return mac, root, count


def _end(folder: Path, body: Mapping[str, Any], key: AuditKey) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ENDED).write_bytes(signed({**body, "key_id": key.id}, key))
    except OSError as error:
        raise AuditUnavailable(
            f"{folder / ENDED} cannot be written: {error.strerror}", remedy="See that the folder can be written"
        ) from None


def _remove_leftovers(folder: Path, first_kept: int) -> None:
    """Archives of entries that the store still keeps: of an archiving that was killed."""
    for path in archives_in(folder):
        found = _ARCHIVE.fullmatch(path.name)
        if found and int(found[1]) >= first_kept:
            path.unlink()
