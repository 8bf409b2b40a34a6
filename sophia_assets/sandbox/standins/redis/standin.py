"""The product's Redis: a real server process, and in front of it a port that plays the faults."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

from sophia_assets.sandbox.company_data import CompanyData, RedisData
from sophia_assets.sandbox.config import Credentials
from sophia_assets.sandbox.standins.faults import Fault, FaultBoard
from sophia_assets.sandbox.standins.redis.process import READER, RedisProcess
from sophia_assets.sandbox.standins.redis.proxy import Proxy
from sophia_assets.sandbox.standins.standin import OnDone, Standin, VendorErrors


def create(company: CompanyData, credentials: Credentials, faults: FaultBoard, *, limits: bool) -> RedisStandin:
    """The stand-in for the company's Redis, which has no limits."""
    return RedisStandin(company, credentials.redis_password, faults)


class RedisStandin(Standin):
    """Serves a company's Redis on a port of its own. It speaks no HTTP, so that no gate is in front of it."""

    system = "redis"
    errors = VendorErrors()

    def __init__(self, company: CompanyData, password: str, faults: FaultBoard) -> None:
        super().__init__()
        self._password = password
        self._process = RedisProcess(password)
        self._proxy = Proxy(lambda: self._process.socket_path, self._process.run, faults, self.counters)
        self._listener: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._running = False
        self._waiting: list[Fault] = []
        self._data = _redis_of(company)

    def load(self, company: CompanyData) -> None:
        """Serve this company from now on. Its Redis data must not be None."""
        self._data = _redis_of(company)
        with self._lock:
            if self._running:
                self._process.fill(self._data)

    def settings(self, host: str, port: int) -> dict[str, str]:
        """See `Standin.settings`. The port is taken when it is first asked for, and answers after `start`."""
        address = self._listen(host).getsockname()
        name = f"[{host}]" if ":" in host else host
        return {"REDIS_URL": f"redis://{READER}:{self._password}@{name}:{address[1]}/0"}

    def start(self, on_done: OnDone) -> None:
        """Start the server and fill it, in a thread; `on_done` is called in the event loop, with what went wrong."""
        loop = asyncio.get_running_loop()
        problem: Exception | None = None

        def work() -> None:
            nonlocal problem
            try:
                self._run()
            except Exception as error:
                problem = error
            # The loop may have ended meanwhile.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(done)

        def done() -> None:
            if problem is None:
                self._serving = loop.create_task(self._serve())
            on_done(problem)

        threading.Thread(target=work, name="redis-standin", daemon=True).start()

    def stop(self) -> None:
        """End the server and free the port."""
        with self._lock:
            self._running = False
            self._process.stop()
        if self._serving is not None and not self._serving.done():
            with contextlib.suppress(RuntimeError):
                self._serving.cancel()
        if self._listener is not None:
            self._listener.close()

    def play(self, fault: Fault) -> None:
        """Trim the streams, or replace the server; before `start`, as soon as that is done."""
        with self._lock:
            if self._running:
                self._play(fault)
            else:
                self._waiting.append(fault)

    def _run(self) -> None:
        with self._lock:
            self._process.start()
            self._process.fill(self._data)
            self._running = True
            for fault in self._waiting:
                self._play(fault)
            self._waiting.clear()

    def _play(self, fault: Fault) -> None:
        if fault.kind == "trim":
            self._process.run([("XTRIM", key, "MAXLEN", int(fault.argument)) for key in self._data.streams])
        elif fault.kind == "restart":
            self._process.stop()
            self._process.start()
            self._process.fill(self._data)

    def _listen(self, host: str) -> socket.socket:
        if self._listener is None:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._listener = socket.create_server((host, 0), family=family, backlog=512)
        return self._listener

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._proxy.serve, sock=self._listen("127.0.0.1"), limit=1 << 20)
        async with server:
            await server.serve_forever()


def _redis_of(company: CompanyData) -> RedisData:
    if company.redis is None:
        raise ValueError("the company has no Redis")
    return company.redis
