"""The chain of the audit trail: what an entry is, how it is signed, and how it is appended.

Belongs here: entries, the head, appending within a transaction. Does not belong here: verifying (`audit_verification`),
or what is kept elsewhere (`audit_checkpoints`). Each entry's code covers its number, all its fields and the code before
it. The head row says where the chain stands; whoever appends holds it, so that there is one writer at a time.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

import orjson
from sqlalchemy import Connection, select, text

from sophia_assets.access.audit_checkpoints import Checkpoints, Standing
from sophia_assets.access.audit_keys import AuditKey, AuditKeys, KeySource
from sophia_assets.access.principal import Principal
from sophia_assets.control.schema import audit, audit_head
from sophia_assets.errors import AuditUnavailable

Outcome = Literal["allowed", "denied", "failed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
#: What comes before the first entry.
BEGINNING = "0" * 64
#: Under which names a connection of the control store knows its chain, and what is to be done after its commit.
CHAIN, AFTER_COMMIT = "sophia_chain", "sophia_after_commit"
_ONLY = 1
_LONGEST = {"actor": 200, "role": 100, "channel": 20, "action": 100, "target": 500}
_LONGEST_TEXT, _LONGEST_DETAILS, _DEEPEST = 24_000, 64_000, 6
_TOKEN = re.compile(r"sophia_[A-Za-z0-9_-]{12}_[A-Za-z0-9_-]{20,}")
_REMEDY = "`sophia audit verify` says what is wrong; `sophia audit restart` puts it aside and begins a new one"


@dataclass(frozen=True)
class Entry:
    """What is recorded, before it has a number. `details` is a JSON object as text; `at` ISO 8601 in UTC."""

    at: str
    actor: str
    role: str
    channel: str
    action: str
    target: str
    outcome: str
    details: str

    @classmethod
    def of(
        cls,
        principal: Principal,
        action: str,
        target: str,
        outcome: Outcome,
        details: Mapping[str, Any],
        *,
        at: datetime | None = None,
    ) -> Entry:
        """An entry of now, unless `at` (aware) says otherwise. What looks like a token is left out of it."""
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is no outcome; allowed: {', '.join(OUTCOMES)}")
        fields = {
            "actor": principal.name,
            "role": principal.role,
            "channel": principal.channel,
            "action": action,
            "target": target,
        }
        short = {name: cut(clean(value), _LONGEST[name]) for name, value in fields.items()}
        return cls(at=stamp(at or datetime.now(UTC)), outcome=outcome, details=canonical(details), **short)


@dataclass(frozen=True)
class Head:
    """Where a chain stands: its last entry, what comes before the first one kept here, and the newest checkpoint."""

    chain: str
    seq: int = 0
    mac: str = BEGINNING
    root: str = BEGINNING
    start_seq: int = 1
    start_mac: str = BEGINNING
    start_root: str = BEGINNING
    checkpoints: int = 0
    checkpoint_digest: str = ""
    witnessed: int = 0
    key_id: str = ""
    seal: str = field(default="", compare=False)

    @property
    def standing(self) -> Standing:
        """What a witness is told of it."""
        return Standing(self.chain, self.seq, self.mac, self.root)

    def sealed(self, key: AuditKey) -> Head:
        """The same, signed."""
        named = replace(self, key_id=key.id)
        return replace(named, seal=named.code(key))

    def code(self, key: AuditKey) -> str:
        """The code that the seal must be."""
        values = [getattr(self, name) for name in _HEAD_FIELDS]
        return hmac.digest(key.head, orjson.dumps(values), "sha256").hex()

    def is_sealed_by(self, key: AuditKey) -> bool:
        """Whether nobody has changed it."""
        return hmac.compare_digest(self.seal, self.code(key))


_HEAD_FIELDS = tuple(name for name in Head.__dataclass_fields__ if name != "seal")


def entry_code(key: AuditKey, chain: str, seq: int, entry: Sequence[str], previous: str) -> str:
    """The code of an entry: over the chain, its number, its fields in order, its key, and the code before it."""
    return hmac.digest(key.entries, orjson.dumps([chain, seq, *entry, key.id, previous]), "sha256").hex()


def next_root(root: str, mac: str) -> str:
    """A digest of all codes so far, which can be compared without any key."""
    return sha256(f"{root}{mac}".encode()).hexdigest()


class Chain:
    """The chain of one control store. `append` is for use within the transaction of what is recorded."""

    def __init__(self, keys: KeySource, checkpoints: Checkpoints) -> None:
        self.keys = keys
        self.checkpoints = checkpoints
        self._head: Head | None = None

    @classmethod
    def beside(cls, folder: Path) -> Chain:
        """The chain whose key and checkpoints lie in a folder."""
        return cls(KeySource(folder / "audit.key"), Checkpoints(folder / "audit"))

    def append(self, connection: Connection, entries: Sequence[Entry]) -> list[int]:
        """Appends entries within a transaction that has not read before; gives their numbers.

        Raises AuditUnavailable where the chain was changed from outside, its key is not here, or what must be kept
        elsewhere could not be; the transaction is then to be given up.
        """
        self.checkpoints.refuse_if_failing()
        head, keys = self.hold(connection)
        key, rows, seq, mac, root = keys.current, [], head.seq, head.mac, head.root
        for entry in entries:
            seq += 1
            values = {name: getattr(entry, name) for name in ENTRY_FIELDS}
            mac = entry_code(key, head.chain, seq, list(values.values()), mac)
            root = next_root(root, mac)
            rows.append({"seq": seq, **values, "key_id": key.id, "mac": mac})
        if rows:
            connection.execute(audit.insert(), rows)
        known = self.checkpoints.known(head.chain)
        if known and known.number > head.checkpoints:
            head = replace(head, checkpoints=known.number, checkpoint_digest=known.digest, witnessed=known.seq)
        self.put(connection, replace(head, seq=seq, mac=mac, root=root), key)
        return list(range(seq - len(rows) + 1, seq + 1))

    def put(self, connection: Connection, head: Head, key: AuditKey) -> None:
        """Writes the head that was held, and bears witness to it elsewhere once the transaction is committed."""
        head = head.sealed(key)
        values = {name: getattr(head, name) for name in (*_HEAD_FIELDS, "seal")}
        connection.execute(audit_head.update().where(audit_head.c.id == _ONLY).values(values))
        after_commit(connection, lambda: self._committed(head, key))

    def close(self) -> None:
        """Makes a checkpoint of what this process has appended since the last one."""
        head, self._head = self._head, None
        with suppress(AuditUnavailable):
            keys = self.keys.read() if head else None
            if head and keys:
                self.checkpoints.make(head.standing, keys.current)

    def hold(self, connection: Connection) -> tuple[Head, AuditKeys]:
        """The head, held until the transaction ends, and the keys. Raises AuditUnavailable where it is not whole."""
        head = read_head(connection, hold=True)
        keys = self.keys.read(may_make=head is None)
        if head is None:
            head = self._begin(connection, keys)
            keys = keys or self.keys.read()
        if keys is None or head.key_id not in keys.known:
            raise AuditUnavailable(
                f"the audit trail was signed with the key {head.key_id}, which is not here",
                remedy="Bring back audit.key from a backup, or set SOPHIA_AUDIT_KEY or SOPHIA_AUDIT_OLD_KEYS; "
                "`sophia audit restart` puts the trail aside and begins a new one",
            )
        if not head.is_sealed_by(keys.known[head.key_id]):
            raise AuditUnavailable("the audit trail's head was changed from outside", remedy=_REMEDY)
        seen = self.checkpoints.last_seen(head.chain, keys.known)
        if seen and (seen.seq > head.seq or (seen.seq == head.seq and seen.mac != head.mac)):
            raise AuditUnavailable(
                f"the audit trail ends at entry {head.seq}, and was at {seen.seq} before: it was put back or cut off",
                remedy=_REMEDY,
            )
        return head, keys

    def _begin(self, connection: Connection, keys: AuditKeys | None) -> Head:
        """The first head of a store that has none; another process may be faster."""
        if keys is None:
            raise AuditUnavailable("the audit trail has no key", remedy="Set SOPHIA_AUDIT_KEY")
        head = Head(secrets.token_hex(16)).sealed(keys.current)
        columns = ("id", *_HEAD_FIELDS, "seal")
        statement = (
            f"INSERT INTO audit_head ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)}) "
            "ON CONFLICT DO NOTHING"
        )
        values = {"id": _ONLY, **{name: getattr(head, name) for name in columns[1:]}}
        is_first = connection.execute(text(statement), values).rowcount == 1
        if is_first and connection.execute(select(audit.c.seq).limit(1)).first() is not None:
            raise AuditUnavailable("the audit trail's head is gone", remedy=_REMEDY)
        found = read_head(connection, hold=True)
        if found is None:
            raise AuditUnavailable("the audit trail cannot be begun", remedy="Run this again; nothing was changed")
        return found

    def _committed(self, head: Head, key: AuditKey) -> None:
        self._head = head if self._head is None or self._head.seq < head.seq else self._head
        self.checkpoints.witness(head.standing, key)


ENTRY_FIELDS = tuple(Entry.__dataclass_fields__)


def read_head(connection: Connection, *, hold: bool = False) -> Head | None:
    """The head as it is kept; None before the first entry. `hold` keeps others from appending (on Postgres)."""
    query = select(*(audit_head.c[name] for name in (*_HEAD_FIELDS, "seal"))).where(audit_head.c.id == _ONLY)
    row = connection.execute(query.with_for_update() if hold else query).one_or_none()
    return Head(*row) if row is not None else None


def after_commit(connection: Connection, work: Callable[[], None]) -> None:
    """Has the control store do `work` once the transaction is committed."""
    connection.info.setdefault(AFTER_COMMIT, []).append(work)


def stamp(moment: datetime) -> str:
    """A moment as it is signed and kept: UTC, with microseconds, so that texts sort as moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def canonical(details: Mapping[str, Any]) -> str:
    """Details as JSON: sorted, plain, of a bounded length."""
    told = orjson.dumps(_plain(details, _DEEPEST), option=orjson.OPT_SORT_KEYS).decode()
    if len(told) <= _LONGEST_DETAILS:
        return told
    return orjson.dumps({"left_out": len(told), "sha256": sha256(told.encode()).hexdigest()}).decode()


def clean(value: object) -> str:
    """A text that both stores can keep, without what looks like a token."""
    told = str(value).encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    return _TOKEN.sub("sophia_***", told)


def _plain(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, Mapping) and depth:
        return {cut(clean(key), 200): _plain(held, depth - 1) for key, held in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        held = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [_plain(item, depth - 1) for item in held]
    return cut(clean(value), _LONGEST_TEXT)


def cut(told: str, longest: int) -> str:
    """A text of at most `longest` characters; that something is left out is marked."""
    return told if len(told) <= longest else told[: longest - 1] + "…"
