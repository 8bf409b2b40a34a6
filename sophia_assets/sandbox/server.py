"""The sandbox's process: makes the company, binds the port, serves the stand-ins until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sophia_assets.errors import ConfigurationError, DateOutOfRange, PortTaken
from sophia_assets.sandbox.config import Credentials, Endpoints, SandboxConfig, default_start
from sophia_assets.sandbox.launch import RunningSandbox, start_sandbox

if TYPE_CHECKING:
    from sophia_assets.sandbox.company_data import CompanyData
    from sophia_assets.sandbox.standins.app import SandboxApp

__all__ = ["Credentials", "Endpoints", "RunningSandbox", "SandboxConfig", "serve", "serve_company", "start_sandbox"]

OnEndpoints = Callable[[Endpoints], None]


def serve(
    config: SandboxConfig,
    on_ready: OnEndpoints | None = None,
    *,
    on_listening: OnEndpoints | None = None,
    stop_on_eof: int | None = None,
) -> None:
    """Serve in the foreground until SIGINT, SIGTERM, the parent's end, or end of file on `stop_on_eof`.

    `on_listening` is called once when HubSpot and Gong answer (a Snowflake login waits until that
    system is there), `on_ready` once when all systems answer. Raises ConfigurationError, PortTaken.
    """
    _check(config)
    # Short turns let the event loop answer while a thread imports the Snowflake engine.
    sys.setswitchinterval(0.001)
    with _listening_socket(config.host, config.port) as listener:
        serve_company(
            make_company(config), config, listener, on_ready, on_listening=on_listening, stop_on_eof=stop_on_eof
        )


def serve_company(
    company: CompanyData,
    config: SandboxConfig,
    listener: socket.socket,
    on_ready: OnEndpoints | None = None,
    *,
    on_listening: OnEndpoints | None = None,
    stop_on_eof: int | None = None,
    on_app: Callable[[SandboxApp, Callable[[], None]], None] | None = None,
) -> None:
    """Serve a company that is at hand on a listening socket; otherwise as `serve`.

    `on_app` receives the app and a function that stops the server (to be called in its event loop).
    """
    from sophia_assets.sandbox.standins.app import SandboxApp
    from sophia_assets.sandbox.standins.faults import FaultBoard

    app = SandboxApp(company, config.credentials, FaultBoard(config.faults), limits=config.limits)

    def endpoints() -> Endpoints:
        address = listener.getsockname()
        return Endpoints(
            env=app.settings(address[0], address[1]),
            pid=os.getpid(),
            company=company.name,
            first_day=company.first_day,
            last_day=company.last_day,
            seed=None if config.data_dir else config.seed,
            ready=dict(app.ready),
            warnings=tuple(company.warnings),
        )

    def tell(listener_function: OnEndpoints | None) -> None:
        report = endpoints()
        if config.endpoints_file is not None:
            _write(report, config.endpoints_file)
        if listener_function is not None:
            listener_function(report)

    run = _Run(app, listener, lambda: tell(on_listening), lambda: tell(on_ready))
    if on_app is not None:
        on_app(app, run.stop)
    try:
        run.until_stopped(config.parent_pid, stop_on_eof)
    finally:
        app.stop()
        if config.endpoints_file is not None:
            _withdraw(config.endpoints_file)


def _withdraw(report: Path) -> None:
    """Removes the readiness report, unless another sandbox has written its own since."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        if Endpoints.read(report).pid == os.getpid():
            report.unlink()


def make_company(config: SandboxConfig) -> CompanyData:
    """The simulated company, or the one in the folder of exports. Raises ConfigurationError."""
    if config.data_dir is not None:
        from sophia_assets.sandbox.exports import load_exports

        return load_exports(config.data_dir, timezone=config.timezone)
    from sophia_assets.sandbox.company import simulate_company

    as_of = config.as_of or _yesterday(config.timezone)
    start = config.start or default_start(as_of)
    return simulate_company(config.seed, start, as_of, scale=config.scale, timezone=config.timezone)


def _write(report: Endpoints, path: Path) -> None:
    try:
        report.write(path)
    except OSError as problem:
        raise ConfigurationError(
            f"cannot write the readiness report {path}: {problem.strerror}", remedy="Name a file in a writable folder"
        ) from problem


def _check(config: SandboxConfig) -> None:
    from sophia_assets.sandbox.standins.faults import parse_fault

    for fault in config.faults:
        parse_fault(fault)
    today = _yesterday(config.timezone) + timedelta(days=1)
    if config.as_of is not None and config.as_of > today:
        raise DateOutOfRange(f"{config.as_of} lies in the future", remedy=f"Use a day up to {today}")
    if config.start is not None and config.start >= (config.as_of or today):
        raise DateOutOfRange(f"the company would start on {config.start}, after its last day", remedy="Start earlier")
    if not 0 < config.scale <= 1000:
        raise ConfigurationError(f"scale {config.scale:g} is out of range", remedy="Use more than 0 and at most 1000")
    if config.data_dir is not None and not config.data_dir.is_dir():
        raise ConfigurationError(f"{config.data_dir} is not a folder", remedy="Name a folder of exports")


def _yesterday(timezone: str) -> date:
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as problem:
        raise ConfigurationError(
            f"unknown time zone '{timezone}'", remedy="Use an IANA name such as Europe/Berlin"
        ) from problem
    return datetime.now(zone).date() - timedelta(days=1)


@contextlib.contextmanager
def _listening_socket(host: str, port: int) -> Iterator[socket.socket]:
    if not 0 <= port <= 65_535:
        raise ConfigurationError(f"{port} is not a port", remedy="Use 1 to 65535, or 0 for any free one")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Listening now keeps the port, and lets early callers wait rather than be refused.
        listener.listen(512)
        yield listener
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"port {port} on {host} is in use by another program",
                remedy="Stop that program, or choose another port with --port (0 takes any free one)",
            ) from problem
        if problem.errno in (errno.EADDRNOTAVAIL, errno.EACCES) or isinstance(problem, socket.gaierror):
            raise ConfigurationError(
                f"cannot listen on {host} port {port}: {problem.strerror}", remedy="Choose another --host or --port"
            ) from problem
        raise
    finally:
        listener.close()


class _Run:
    """One server from start to stop."""

    def __init__(
        self, app: SandboxApp, listener: socket.socket, listening: Callable[[], None], ready: Callable[[], None]
    ) -> None:
        import uvicorn

        self._app = app
        self._listener = listener
        self._listening = listening
        self._ready = ready
        self._failure: Exception | None = None
        settings = uvicorn.Config(
            app,
            http=_protocol(),
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=60,
            backlog=512,
        )
        self._server = uvicorn.Server(settings)

    def stop(self) -> None:
        """Stop soon. To be called in the event loop or a signal handler."""
        self._server.should_exit = True

    def until_stopped(self, parent_pid: int | None, stop_on_eof: int | None) -> None:
        """Serve. Raises what kept a system from becoming ready."""
        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            runner.run(self._main(parent_pid, stop_on_eof))
        if self._failure is not None:
            raise self._failure

    async def _main(self, parent_pid: int | None, stop_on_eof: int | None) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as watches:
            with contextlib.suppress(ValueError, RuntimeError):
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, self.stop)
            if stop_on_eof is not None:
                loop.add_reader(stop_on_eof, self._on_input, loop, stop_on_eof)
            if parent_pid is not None:
                watches.enter_context(_watched_parent(loop, parent_pid, self.stop))
            loop.call_soon(self._start)
            # uvicorn's own `serve` would take the signals over and die of them before the clean-up.
            await self._server._serve(sockets=[self._listener])

    def _start(self) -> None:
        with self._stopped_by_failure():
            self._listening()
            self._app.start(self._on_ready)

    def _on_ready(self, problem: Exception | None) -> None:
        with self._stopped_by_failure():
            if problem is not None:
                raise problem
            self._ready()

    @contextlib.contextmanager
    def _stopped_by_failure(self) -> Iterator[None]:
        # The event loop would only log what a callback raises.
        try:
            yield
        except Exception as problem:
            self._failure = problem
            self.stop()

    def _on_input(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        if not os.read(descriptor, 1024):
            loop.remove_reader(descriptor)
            self.stop()


@contextlib.contextmanager
def _watched_parent(loop: asyncio.AbstractEventLoop, pid: int, on_end: Callable[[], None]) -> Iterator[None]:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        on_end()
        yield
        return
    except (AttributeError, OSError):
        # Not Linux: the closed pipe is the only sign.
        yield
        return
    loop.add_reader(descriptor, on_end)
    try:
        yield
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _protocol() -> type[asyncio.Protocol]:
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    class Cuttable(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        """Lets an app cut its connection: the transport is in the request's state."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.app_state: dict[str, Any] = {**self.app_state, "transport": transport}

    return Cuttable
