"""Redis' wire format: whole commands and answers out of a stream of bytes, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Part = str | bytes | int


def command(*parts: Part) -> bytes:
    """A command as a client sends it."""
    return b"*%d\r\n%s" % (len(parts), b"".join(_bulk(part) for part in parts))


def array(parts: Iterable[Any]) -> bytes:
    """An answer that is a list of texts and lists."""
    items = [array(part) if isinstance(part, list) else _bulk(part) for part in parts]
    return b"*%d\r\n%s" % (len(items), b"".join(items))


def parsed(frame: bytes) -> Any:
    """What a command or an answer holds: bytes, numbers, None, lists of these; an error is bytes that begin with -."""
    return _value(frame, 0)[0]


class Frames:
    """Splits a stream into whole commands or answers, however it arrives. A line by itself is a command, too."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._place = 0
        self._missing = 1

    def fed(self, data: bytes) -> list[bytes]:
        """What is complete now that `data` has arrived."""
        buffer = self._buffer
        buffer += data
        found: list[bytes] = []
        begin, place, missing = 0, self._place, self._missing
        while (end := buffer.find(b"\r\n", place)) >= 0:
            kind = buffer[place]
            following = end + 2
            if kind in b"$=!":
                length = int(buffer[place + 1 : end])
                following += length + 2 if length >= 0 else 0
                if following > len(buffer):
                    break
            missing += _held(kind, buffer[place + 1 : end]) - (kind != _ATTRIBUTE)
            place = following
            if not missing:
                found.append(bytes(buffer[begin:place]))
                begin, missing = place, 1
        del buffer[:begin]
        self._place, self._missing = place - begin, missing
        return found


_ATTRIBUTE = ord("|")


def _held(kind: int, count: bytes | bytearray) -> int:
    """How many values follow that belong to an element of this kind."""
    if kind in b"*~>":
        return max(0, int(count))
    return 2 * int(count) if kind in b"%|" else 0


def _bulk(part: Part) -> bytes:
    data = part if isinstance(part, bytes) else str(part).encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def _value(frame: bytes, place: int) -> tuple[Any, int]:
    end = frame.index(b"\r\n", place)
    kind, line, following = frame[place], frame[place + 1 : end], end + 2
    if kind in b"$=!":
        length = int(line)
        return (None, following) if length < 0 else (frame[following : following + length], following + length + 2)
    if kind in b"*~>%":
        items = []
        for _ in range(_held(kind, line)):
            item, following = _value(frame, following)
            items.append(item)
        return items, following
    if kind == ord(":"):
        return int(line), following
    if kind == ord("+"):
        return line, following
    if kind == ord("-"):
        return frame[place:end], following
    return frame[place:end].split(), following
