"""A vendor's own count of what it bills: input once a request is accepted, output as far as it was generated."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

_LOGGED = 200


@dataclass
class Call:
    """One request for an answer, however it ended: `outcome` is `completed`, `cut`, an error's type, and so on.

    A refused one was never accepted, so that it has no tokens and is not billed.
    """

    request_id: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    outcome: str = "open"
    billed: bool = False


class Meter:
    """Counts the calls that were accepted and their tokens, and keeps the last 200 calls of any kind."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start again from nothing; calls that are still open count for what they use from now on."""
        self.calls = self.input_tokens = self.output_tokens = 0
        self._log: deque[Call] = deque(maxlen=_LOGGED)

    def accept(self, request_id: str, model: str, input_tokens: int) -> Call:
        """A request that an answer is generated for: its input is billed from here on."""
        call = Call(request_id, model, input_tokens, billed=True)
        self.calls += 1
        self.input_tokens += input_tokens
        self._log.append(call)
        return call

    def refuse(self, request_id: str, model: str, outcome: str) -> None:
        """A request that was answered with an error before anything was generated."""
        self._log.append(Call(request_id, model, outcome=outcome))

    def generated(self, call: Call, output_tokens: int) -> None:
        """An open call has come to that many tokens of output."""
        self.output_tokens += output_tokens - call.output_tokens
        call.output_tokens = output_tokens

    def totals(self) -> dict[str, int]:
        """What is billed: calls that were accepted, and their tokens."""
        return {"calls": self.calls, "input_tokens": self.input_tokens, "output_tokens": self.output_tokens}

    def logged(self) -> list[dict[str, Any]]:
        """The last calls, the oldest first."""
        return [asdict(call) for call in self._log]
