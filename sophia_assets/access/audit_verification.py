"""Verifying the audit trail: whether anything in it was changed, cut off, put in, moved or put back from outside.

Belongs here: comparing the store, its archives and what bears witness elsewhere. Does not belong here: writing any of
them. Entries stream, so that a trail of any length is verified in flat memory.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, func, select

from sophia_assets.access.audit_archives import COLUMNS, archives_in, read_archive, read_end
from sophia_assets.access.audit_chain import BEGINNING, Chain, Head, next_root, read_head
from sophia_assets.access.audit_keys import AuditKey
from sophia_assets.access.audit_testimony import Testimony, chains_in, read_testimony
from sophia_assets.control.schema import audit

if TYPE_CHECKING:
    from sophia_assets.control.store import ControlStore

MOST_FINDINGS = 50
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Finding:
    """Something that is wrong; `seq` is the number of the entry at which it shows, where it shows at one."""

    what: str
    seq: int | None = None

    def __str__(self) -> str:
        return f"entry {self.seq}: {self.what}" if self.seq is not None else self.what


@dataclass
class Verification:
    """What was verified, and what is wrong. `first` and `last` are numbers of entries, archives included."""

    entries: int = 0
    archived: int = 0
    first: int = 0
    last: int = 0
    checkpoints: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def found(self, what: str, seq: int | None = None) -> None:
        """Adds a finding; of very many, the first are kept and the others counted."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(what, seq))
        else:
            self.left_out += 1


def verify(store: ControlStore, chain: Chain) -> Verification:
    """Verifies the trail of a store. Raises ControlStoreUnavailable and AuditUnavailable where it cannot be read."""
    began, told = time.perf_counter(), Verification()
    keys = chain.keys.read()
    known = keys.known if keys else {}
    # What bears witness is read before the trail: it never tells of more than was committed by then.
    folder = chain.checkpoints.folder
    testimonies = {name: read_testimony(folder / name, name, known) for name in chains_in(folder)}
    with store.snapshot() as connection:
        head = read_head(connection)
        if head is None:
            _without_head(connection, told)
        else:
            testimony = testimonies.pop(head.chain, None) or Testimony()
            if len(testimony.digests) < head.checkpoints or (testimony.witness_seq or 0) < head.witnessed:
                # Made meanwhile, or missing; of what is newer than this state, nothing is expected of it.
                newer = read_testimony(folder / head.chain, head.chain, known)
                testimony = newer.up_to(head.seq).with_all_of(testimony)
            _head(head, known, told)
            _testimony(head, testimony, told)
            walk = _Walk(told, head.chain, known, testimony)
            _archives(walk, head, folder / head.chain, told)
            _kept(walk, head, connection, told)
    for name, testimony in testimonies.items():
        _other_chain(folder / name, testimony, known, told)
    if not known and (head is not None or testimonies):
        told.found("no key is here: bring back audit.key from a backup, or set SOPHIA_AUDIT_KEY")
    told.seconds = time.perf_counter() - began
    return told


class _Walk:
    """Goes along the chain, entry by entry, and compares it with what bears witness."""

    def __init__(self, told: Verification, chain: str, keys: Mapping[str, AuditKey], testimony: Testimony) -> None:
        self._told = told
        self._chain = chain
        self._keys = keys
        self._expected = testimony.expected
        self._unknown: dict[str, list[int]] = {}
        self.seq, self.mac, self.root = 0, BEGINNING, BEGINNING

    def entries(self, rows: Iterable[Sequence[Any]]) -> int:
        """Walks over rows of `COLUMNS` in order; gives how many they were."""
        told, keys, chain, count = self._told, self._keys, self._chain, 0
        digest, dumps = hmac.digest, orjson.dumps
        for row in rows:
            count += 1
            seq, key_id, mac = row[0], row[-2], row[-1]
            if seq != self.seq + 1 and not self._follows(seq):
                continue
            is_tied = seq == self.seq + 1
            key = keys.get(key_id)
            if key is None:
                self._unknown.setdefault(str(key_id), [seq, seq])[1] = seq
            else:
                try:
                    code = digest(key.entries, dumps([chain, *row[:-1], self.mac]), "sha256").hex()
                except TypeError:
                    code = ""
                if code != mac and is_tied:
                    told.found("it was changed, or put in the place of another", seq)
            self.seq, self.mac, self.root = seq, str(mac), next_root(self.root, str(mac))
            if seq in self._expected and self._expected[seq] != {(self.mac, self.root)}:
                told.found("it, or one before it, is not the one that a checkpoint bears witness to", seq)
        return count

    def finish(self) -> None:
        """Tells of entries whose key is not here, and of checkpoints past the end."""
        for key_id, (first, last) in self._unknown.items():
            what = (
                f"the key {key_id[:16]} that signed entries {first} to {last} is not here, so they cannot be verified"
            )
            self._told.found(f"{what}: bring back audit.key, or set SOPHIA_AUDIT_OLD_KEYS", first)
        beyond = [seq for seq in self._expected if seq > self.seq]
        if beyond:
            what = f"entries up to {max(beyond)} are missing: a checkpoint bears witness to them"
            self._told.found(what, self.seq + 1)

    def _follows(self, seq: object) -> bool:
        """Whether to go on with an entry that is not the next one, after telling of it."""
        if type(seq) is not int or seq <= self.seq:
            self._told.found("there is an entry too many, put in from outside", seq if type(seq) is int else None)
            return False
        missing = f"entries {self.seq + 1} to {seq - 1} are" if seq - self.seq > 2 else "it is"
        self._told.found(f"{missing} missing", self.seq + 1)
        return True


def _without_head(connection: Connection, told: Verification) -> None:
    count = connection.execute(select(func.count()).select_from(audit)).scalar_one()
    if count:
        told.found(f"the trail's head is gone, while {count} entries are here")


def _head(head: Head, keys: Mapping[str, AuditKey], told: Verification) -> None:
    key = keys.get(head.key_id)
    if key is None:
        told.found(f"the key {head.key_id[:16]} that signed the trail's head is not here, so it cannot be verified")
    elif not head.is_sealed_by(key):
        told.found("the trail's head was changed from outside")


def _testimony(head: Head, testimony: Testimony, told: Verification) -> None:
    """What is kept elsewhere must be whole, and no less than the head knows of."""
    told.checkpoints = len(testimony.digests)
    for problem in testimony.problems:
        told.found(problem)
    if len(testimony.digests) < head.checkpoints:
        missing = f"{head.checkpoints} checkpoints were made, and {len(testimony.digests)} are in {testimony.folder}"
        told.found(f"{missing}: the others are missing")
    elif head.checkpoints and testimony.digests[head.checkpoints - 1] != head.checkpoint_digest:
        told.found(f"checkpoint {head.checkpoints} is not the one that the head knows of")
    if head.checkpoints and testimony.witness_seq is None:
        told.found(f"the witness of the last commit is missing from {testimony.folder}")
    elif testimony.witness_seq is not None and testimony.witness_seq < head.witnessed:
        told.found("the witness of the last commit was put back to an earlier one")


def _archives(walk: _Walk, head: Head, folder: Path, told: Verification) -> None:
    """Walks over what was archived, from the first entry to the one before the first that the store keeps."""
    if head.start_seq > 1:
        for path in archives_in(folder):
            if walk.seq + 1 >= head.start_seq:
                break  # of an archive whose entries the store keeps still
            told.archived += walk.entries(read_archive(path, told.found))
        if walk.seq != head.start_seq - 1:
            told.found(f"archived entries {walk.seq + 1} to {head.start_seq - 1} are missing", walk.seq + 1)
        elif (walk.mac, walk.root) != (head.start_mac, head.start_root):
            told.found("the archives do not lead to what the store keeps", head.start_seq)
    told.first = 1 if head.start_seq == 1 or told.archived else head.start_seq
    walk.seq, walk.mac, walk.root = head.start_seq - 1, head.start_mac, head.start_root


def _kept(walk: _Walk, head: Head, connection: Connection, told: Verification) -> None:
    """Walks over the entries in the store, up to where the head says that they end."""
    columns = [audit.c[name] for name in COLUMNS]
    query = select(*columns).order_by(audit.c.seq).execution_options(yield_per=_AT_ONCE)
    told.entries = walk.entries(connection.execute(query))
    told.last = walk.seq
    if walk.seq != head.seq:
        what = "entries at the end are missing" if walk.seq < head.seq else "there are entries too many at the end"
        told.found(f"{what}: the head says that the last one is {head.seq}", min(walk.seq, head.seq) + 1)
    elif (walk.mac, walk.root) != (head.mac, head.root):
        told.found("the trail's last entry is not the one that its head names", head.seq)
    walk.finish()


def _other_chain(folder: Path, testimony: Testimony, keys: Mapping[str, AuditKey], told: Verification) -> None:
    """What bears witness to a trail that is not this store's: one that was put aside, or one that is gone."""
    end = read_end(folder, keys)
    if end is not None:
        told.notes.append(f"an earlier trail was put aside on {end['at'][:10]} by {end['by']}: {end['reason']}")
    else:
        count = max([*testimony.expected, testimony.witness_seq or 0], default=0)
        told.found(f"a trail of {count} entries, to which {folder} bears witness, is gone: the store is another one")
