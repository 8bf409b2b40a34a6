"""What every client of the Redis stand-in passes before the server: counting, and the active faults."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

from sophia_assets.sandbox.standins.faults import FaultBoard
from sophia_assets.sandbox.standins.redis.process import DATABASES
from sophia_assets.sandbox.standins.redis.resp import Frames, Part, array, command, parsed
from sophia_assets.sandbox.standins.standin import Counters

NO_SUCH_LOGIN = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
NO_LOGIN = b"-NOAUTH Authentication required.\r\n"
FULL = b"-ERR max number of clients reached\r\n"
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
BUSY = b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"

_PIECE = 1 << 16
# A server that is loading or busy still talks about the connection.
_ALWAYS_ANSWERED = frozenset({"AUTH", "HELLO", "SELECT", "CLIENT", "QUIT"})
_LOGINS = frozenset({"AUTH", "HELLO"})
# Nothing is ever in it, so that a client which is moved there finds what a server that holds nothing says.
_EMPTY_DATABASE = DATABASES - 1


class _Cut(Exception):
    """The client's connection is to end; `sent` is what still reaches it."""

    def __init__(self, sent: bytes = b"", *, abruptly: bool = True) -> None:
        super().__init__()
        self.sent, self.abruptly = sent, abruptly


class Proxy:
    """Serves the clients of one Redis server. `run` runs commands with every right."""

    def __init__(
        self,
        server: Callable[[], str],
        run: Callable[[Sequence[tuple[Part, ...]]], object],
        faults: FaultBoard,
        counters: Counters,
    ) -> None:
        self.server, self.run, self.faults, self.counters = server, run, faults, counters
        self._clients: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it or the server goes."""
        self._clients.add(writer)
        try:
            to_reader, to_writer = await asyncio.open_unix_connection(self.server())
            try:
                await _Client(self, reader, writer, to_reader, to_writer).serve()
            finally:
                to_writer.close()
        except _Cut as cut:
            writer.write(cut.sent)
            with contextlib.suppress(OSError):
                await writer.drain()
            if cut.abruptly:
                writer.transport.abort()
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            # The server has gone, or the client.
            pass
        finally:
            self._clients.discard(writer)
            writer.close()


class _Client:
    """One client's connection and the server's that answers it."""

    def __init__(
        self,
        proxy: Proxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        to_reader: asyncio.StreamReader,
        to_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy, self._faults, self._counters = proxy, proxy.faults, proxy.counters
        self._reader, self._writer = reader, writer
        self._to_reader, self._to_writer = to_reader, to_writer
        self._asked, self._answered = Frames(), Frames()
        self._database = self._wanted = 0
        self._last_page: list[bytes] = []
        self._random = random.Random(0)

    async def serve(self) -> None:
        while data := await self._reader.read(_PIECE):
            frames = self._asked.fed(data)
            if not frames:
                continue
            self._counters.requests += len(frames)
            if self._faults.any_on("redis") or self._database != self._wanted:
                self._writer.write(await self._with_faults(frames))
            else:
                self._note_database(frames)
                await self._relay(b"".join(frames), len(frames))
            await self._writer.drain()

    async def _relay(self, asked: bytes, answers: int) -> None:
        """The server's answers, as they come."""
        self._to_writer.write(asked)
        while answers > 0:
            data = await self._received()
            answers -= len(self._answered.fed(data))
            self._writer.write(data)
            await self._writer.drain()

    async def _with_faults(self, frames: list[bytes]) -> bytes:
        if slow := self._faults.active("redis", "slow"):
            await asyncio.sleep(slow.argument)
        if self._faults.active("redis", "down"):
            self._counters.failed += 1
            raise _Cut
        names = [_name(frame) for frame in frames]
        refused = self._refused(names)
        if refused is not None:
            return refused
        await self._move()
        answers = [await self._one(frame, name) for frame, name in zip(frames, names, strict=True)]
        self._note_database(frames)
        whole = b"".join(answers)
        if self._faults.active("redis", "truncate") or self._faults.strikes("redis", "torn"):
            raise _Cut(whole[: len(whole) // 2], abruptly=False)
        if self._faults.strikes("redis", "cut"):
            self._counters.failed += 1
            raise _Cut(whole[: len(whole) // 2])
        return whole

    def _refused(self, names: list[str]) -> bytes | None:
        if self._faults.active("redis", "auth"):
            return b"".join(NO_SUCH_LOGIN if name in _LOGINS else NO_LOGIN for name in names)
        if self._faults.rate_limited_for("redis") is not None:
            self._counters.throttled += 1
            raise _Cut(FULL, abruptly=False)
        if _ALWAYS_ANSWERED.issuperset(names):
            return None
        if self._faults.strikes("redis", "storm"):
            if self._random.random() < 0.5:
                self._counters.throttled += 1
                raise _Cut(FULL, abruptly=False)
        elif not self._faults.strikes("redis", "errors"):
            return None
        self._counters.failed += 1
        return self._random.choice((LOADING, BUSY)) * len(names)

    async def _one(self, frame: bytes, name: str) -> bytes:
        """The answer to one command, with what the faults make of it."""
        if name != "SCAN":
            return await self._ask(frame)
        parts = parsed(frame)
        pages = self._faults.active("redis", "pages")
        chance = self._random
        if pages:
            chance = random.Random(f"{pages.argument:g} {pages.served}")
            pages.served += 1
            if parts[1] != b"0" and chance.random() < 0.15:
                return array([parts[1], []])
            frame = _with_count(parts, chance.randint(1, 100))
        answer = await self._ask(frame)
        if answer.startswith(b"-"):
            return answer
        cursor, keys = parsed(answer)
        if pages and self._last_page and chance.random() < 0.3:
            keys = [*chance.sample(self._last_page, min(3, len(self._last_page))), *keys]
        self._last_page = keys or self._last_page
        self._spoil(keys)
        return array([cursor, keys])

    def _spoil(self, keys: list[bytes]) -> None:
        """Let keys that were just found expire, or hold something else, before they can be read."""
        for key in keys:
            if self._faults.uses_up("redis", "expire"):
                self._proxy.run([("PEXPIRE", key, 0)])
            elif self._faults.uses_up("redis", "wrongtype"):
                self._proxy.run([("DEL", key), ("RPUSH", key, "no longer what it was")])

    async def _move(self) -> None:
        """Have the server answer from the database that holds nothing, or from the client's own again."""
        database = _EMPTY_DATABASE if self._faults.active("redis", "empty") else self._wanted
        if database != self._database and await self._ask(command("SELECT", database)) == b"+OK\r\n":
            self._database = database

    def _note_database(self, frames: list[bytes]) -> None:
        for frame in frames:
            if _name(frame) == "SELECT":
                parts = parsed(frame)
                if len(parts) == 2 and parts[1].isdigit() and int(parts[1]) < DATABASES:
                    self._database = self._wanted = int(parts[1])

    async def _ask(self, frame: bytes) -> bytes:
        self._to_writer.write(frame)
        found: list[bytes] = []
        while not found:
            found = self._answered.fed(await self._received())
        return found[0]

    async def _received(self) -> bytes:
        data = await self._to_reader.read(_PIECE)
        if not data:
            raise ConnectionResetError("the server has gone")
        return data


def _name(frame: bytes) -> str:
    """The command's name in capitals, also of one that is a line by itself."""
    if not frame.startswith(b"*"):
        return frame.split(maxsplit=1)[0].decode(errors="replace").upper() if frame.strip() else ""
    begin = frame.find(b"\r\n", frame.find(b"\r\n") + 2) + 2
    return frame[begin : frame.find(b"\r\n", begin)].decode(errors="replace").upper()


def _with_count(parts: list[bytes], count: int) -> bytes:
    """The scan with another COUNT."""
    kept: list[Part] = list(parts)
    places = [place for place, part in enumerate(parts) if part.upper() == b"COUNT"]
    if places:
        kept[places[0] + 1] = count
        return command(*kept)
    return command(*kept, "COUNT", count)
