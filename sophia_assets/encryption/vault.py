"""What seals bytes and texts before they are kept, and opens them again.

`context` says what is sealed and where it lies (`briefings/2026-11-20/briefing.json`, `audit.details`): what was sealed
for one place does not open in another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sophia_assets.home import Home
    from sophia_assets.settings import Settings


class Vault(Protocol):
    """Seals and opens. Where encryption is off, both give back what they are given."""

    @property
    def is_on(self) -> bool:
        """Whether anything is encrypted."""
        ...

    def seal(self, content: bytes, context: str) -> bytes:
        """The bytes as they are kept."""
        ...

    def open(self, content: bytes, context: str) -> bytes:
        """The bytes that were sealed. Raises EncryptionError for what does not open."""
        ...

    def seal_text(self, text: str, context: str) -> str:
        """A text as it is kept, in printable characters."""
        ...

    def open_text(self, text: str, context: str) -> str:
        """The text that was sealed. Raises EncryptionError for what does not open."""
        ...


class PlainVault:
    """Encryption is off."""

    is_on = False

    def seal(self, content: bytes, context: str) -> bytes:
        """See `Vault.seal`."""
        return content

    def open(self, content: bytes, context: str) -> bytes:
        """See `Vault.open`."""
        return content

    def seal_text(self, text: str, context: str) -> str:
        """See `Vault.seal_text`."""
        return text

    def open_text(self, text: str, context: str) -> str:
        """See `Vault.open_text`."""
        return text


def vault_for(settings: Settings, home: Home) -> Vault:
    """The vault of a home, by setting."""
    return PlainVault()
