"""Audit trails to test with: stores of either kind, filled, with what bears witness beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sophia_assets.access.audit import AuditTrail
from sophia_assets.access.audit_chain import Chain
from sophia_assets.access.audit_checkpoints import Checkpoints
from sophia_assets.access.audit_keys import KeySource
from sophia_assets.access.audit_verification import Verification, verify
from sophia_assets.access.principal import Principal
from sophia_assets.control.store import ControlStore
from sophia_assets.encryption.vault import PlainVault

ADA = Principal("ada", "executive", "api")
BOB = Principal("bob", "analyst", "page")
KEY = bytes(range(32))


@dataclass
class Trail:
    """A trail with its folder: `control.db` (or a database elsewhere), `audit.key`, `audit/`."""

    folder: Path
    url: str = ""
    key: bytes | None = None
    every: int = 10
    wait_seconds: float = 5.0

    def __post_init__(self) -> None:
        self.store = self.opened()
        self.audit = AuditTrail(self.store, PlainVault())

    def opened(self) -> ControlStore:
        """The store as another process would open it."""
        keys = KeySource(self.folder / "audit.key", self.key)
        chain = Chain(keys, Checkpoints(self.folder / "audit", self.every))
        url = self.url or f"sqlite:///{self.folder / 'control.db'}"
        return ControlStore(url, chain=chain, wait_seconds=self.wait_seconds)

    @property
    def chain(self) -> Chain:
        """The chain of the store."""
        assert self.store.chain is not None
        return self.store.chain

    def fill(self, count: int) -> None:
        """Records so many accesses, no two alike, by two users."""
        for number in range(count):
            who, outcome = ((ADA, "allowed"), (BOB, "denied"))[number % 2]
            details = {"question": f"what of {number}?", "rows": number}
            self.audit.record(who, "ask", f"metric {number}", outcome, details)  # type: ignore[arg-type]

    def verify(self) -> Verification:
        """What a process that has just started finds."""
        store = self.opened()
        try:
            assert store.chain is not None
            return verify(store, store.chain)
        finally:
            store.close()

    def close(self) -> None:
        """Ends it as a process ends that is not killed."""
        self.store.close()


def told(found: Verification) -> str:
    """All findings in one text."""
    return "\n".join(map(str, found.findings))
