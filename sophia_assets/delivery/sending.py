"""What every channel has in common: what it is given, what it says of the outcome, and how patient it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sophia_assets.errors import SophiaError

if TYPE_CHECKING:
    from sophia_assets.delivery.message import Message


@dataclass(frozen=True)
class Sent:
    """It was sent; `receipt` is how the channel calls it, `note` what is to be said of it."""

    receipt: str
    note: str = ""


class Refusal(SophiaError):
    """The channel will not take it, however often it is asked."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, remedy=remedy)


class TryAgain(SophiaError):
    """It may work a little later: after `seconds` where the channel says so.

    `may_have_arrived` says that it was handed over and only the receipt is missing.
    """

    def __init__(
        self, message: str, remedy: str, seconds: float | None = None, *, may_have_arrived: bool = False
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.seconds = seconds
        self.may_have_arrived = may_have_arrived


class Channel(Protocol):
    """A way to a role's readers. `name` is `slack` or `email`, `place` where exactly.

    `can_look` says that `find` can tell afterwards whether a message arrived.
    """

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> str: ...

    @property
    def can_look(self) -> bool: ...

    def send(self, message: Message, html: str, whole: str, key: str) -> Sent:
        """Sends once. `html` is the whole page, `whole` says where it is. Raises TryAgain, Refusal."""
        ...

    def look(self) -> str:
        """Whether it could send, without sending; a line about it. Raises TryAgain, Refusal."""
        ...

    def find(self, key: str) -> Sent | None:
        """What was sent with that key. Raises TryAgain, Refusal."""
        ...


@dataclass(frozen=True)
class Patience:
    """How often a channel is asked, and how long is waited in between, in seconds: doubled each time.

    A channel that wants to be left alone for longer than `longest` is not waited for.
    """

    tries: int = 4
    first: float = 1.0
    longest: float = 30.0
