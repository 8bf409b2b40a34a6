"""The audit trail: every access to data and every operator's action, in a chain that shows any change from outside.

Belongs here: recording and reading back. Does not belong here: deciding (`policies`), how entries are signed
(`audit_chain`), or verifying (`audit_verification`). An entry is committed before anything is shown; what cannot be
recorded is denied.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from sophia_assets.access.audit_chain import Chain, Entry, Outcome, clean, cut
from sophia_assets.access.audit_checkpoints import Checkpoints
from sophia_assets.access.audit_keys import KEY_FILE, KeySource
from sophia_assets.access.principal import Principal
from sophia_assets.control.schema import audit
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import AuditUnavailable, SophiaError

if TYPE_CHECKING:
    from sophia_assets.encryption.vault import Vault
    from sophia_assets.home import Home
    from sophia_assets.services import Services
    from sophia_assets.settings import Settings

FOLDER = "audit"
_CONTEXT = "audit"
#: Details of these names are somebody's own words: the vault seals them.
FREE_TEXT = frozenset({"question", "sql", "text", "query", "words", "answer"})
_LONGEST_FREE_TEXT = 4_000
_MOST_AT_ONCE = 256
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class AuditEntry:
    """One entry as it is read back. `at` is ISO 8601 in UTC; `role` is empty for operators' deeds."""

    seq: int
    at: str
    actor: str
    role: str
    channel: str
    action: str
    target: str
    outcome: str
    details: Mapping[str, Any]


@dataclass
class _Waiting:
    """An entry that waits for its commit; then either a number or why not."""

    entry: Entry
    seq: int = 0
    problem: AuditUnavailable | None = None
    is_done: bool = False


class AuditTrail:
    """The trail in one control store. Threads share one: what they record at once goes in one transaction."""

    def __init__(self, store: ControlStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._waiting: list[_Waiting] = []
        self._turns = threading.Condition()
        self._is_writing = False

    def record(
        self,
        principal: Principal,
        action: str,
        target: str,
        outcome: Outcome,
        details: Mapping[str, Any] = _NOTHING,
    ) -> int:
        """Records one access, and returns its number once that is committed; about a millisecond.

        `action` is such as `ask`, `target` what was asked for. `details` hold no secrets; those named in `FREE_TEXT`
        are sealed here. Raises AuditUnavailable: then the caller must deny and show nothing.
        """
        waiting = _Waiting(Entry.of(principal, action, target, outcome, self._sealed(details)))
        with self._turns:
            self._waiting.append(waiting)
        while not waiting.is_done:
            batch = self._turn(waiting)
            if batch:
                self._write(batch)
        if waiting.problem is not None:
            raise waiting.problem
        return waiting.seq

    def tail(
        self, limit: int = 50, *, who: str | None = None, action: str | None = None, before: int | None = None
    ) -> list[AuditEntry]:
        """The newest entries, newest first; of one actor, or of one action or its group (`users` is all `users.*`).

        `before` leaves out those from that number on.
        """
        query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.seq < before)
        if who:
            query = query.where(audit.c.actor == who)
        if action:
            group = action.removesuffix(".*").removesuffix("*")
            query = query.where((audit.c.action == action) | audit.c.action.startswith(f"{group}.", autoescape=True))
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        return [
            AuditEntry(
                row.seq,
                row.at,
                row.actor,
                row.role,
                row.channel,
                row.action,
                row.target,
                row.outcome,
                self._opened(row.details),
            )
            for row in rows
        ]

    def close(self) -> None:
        """Makes a checkpoint of what was recorded."""
        if self._store.chain is not None:
            self._store.chain.close()

    def _turn(self, waiting: _Waiting) -> list[_Waiting]:
        """Waits until another thread has written this entry, which gives nothing, or until this thread may write:
        then what has waited longest."""
        with self._turns:
            while self._is_writing and not waiting.is_done:
                self._turns.wait()
            if waiting.is_done:
                return []
            self._is_writing = True
            batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
            return batch

    def _write(self, batch: list[_Waiting]) -> None:
        """Writes entries in one transaction, and tells each of them what became of it."""
        problem, numbers = None, [0] * len(batch)
        try:
            numbers = self._append([waiting.entry for waiting in batch])
        except AuditUnavailable as error:
            problem = error
        except SophiaError as error:
            problem = AuditUnavailable(
                f"the audit trail cannot be written, so nothing is shown: {error.message}", remedy=error.remedy
            )
        except BaseException:
            problem = AuditUnavailable("the audit trail could not be written, so nothing is shown")
            raise
        finally:
            with self._turns:
                for waiting, seq in zip(batch, numbers, strict=True):
                    waiting.seq, waiting.problem, waiting.is_done = seq, problem, True
                self._is_writing = False
                self._turns.notify_all()

    def _append(self, entries: list[Entry]) -> list[int]:
        chain = self._store.chain
        if chain is None:
            raise AuditUnavailable("the audit trail has no key", remedy="Set SOPHIA_AUDIT_KEY")
        return self._store.run(lambda connection: chain.append(connection, entries))

    def _sealed(self, details: Mapping[str, Any]) -> dict[str, Any]:
        def sealed(name: str, value: object) -> object:
            if name not in FREE_TEXT or not isinstance(value, str):
                return value
            return self._vault.seal_text(cut(clean(value), _LONGEST_FREE_TEXT), _CONTEXT)

        return {name: sealed(name, value) for name, value in details.items()}

    def _opened(self, details: str) -> dict[str, Any]:
        """The details as they were given; what does not open is told as it is kept."""
        held: dict[str, Any] = orjson.loads(details)
        for name in FREE_TEXT & held.keys():
            if isinstance(held[name], str):
                try:
                    held[name] = self._vault.open_text(held[name], _CONTEXT)
                except SophiaError:
                    held[name] = "(sealed with a key that is not here)"
        return held


def chain_for(settings: Settings, home: Home) -> Chain:
    """The chain of a home, by its settings."""
    access = settings.access
    keys = KeySource(home.path / KEY_FILE, access.audit_key, access.audit_old_keys)
    folder = access.audit_checkpoints or home.path / FOLDER
    return Chain(keys, Checkpoints(folder, access.checkpoint_entries))


def audit_trail(services: Services) -> AuditTrail:
    """The trail of a home."""
    return AuditTrail(services.control, services.vault)
