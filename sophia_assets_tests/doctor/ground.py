"""What faults are planted in: a home with everything in it, stand-ins that serve every system, a Postgres, a Redis."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from unittest import mock

from sophia_assets.doctor import looking, machine, orchestrator
from sophia_assets.doctor.examination import Check, Report
from sophia_assets.doctor.findings import Finding, Standing
from sophia_assets.doctor.looking import look
from sophia_assets.home import Home
from sophia_assets.ingestion.connections import Connections
from sophia_assets.services import Services
from sophia_assets_tests.control.postgres import PostgresServer, running_postgres
from sophia_assets_tests.control.redis_server import RedisServer, running_redis
from sophia_assets_tests.finished_home import services_of
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sources.complete_company import complete_company
from sophia_assets_tests.sources.unlimited import Unlimited

_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class Place:
    """Where one fault is planted: a home of its own, and the environment in which it is looked at."""

    ground: Ground
    home: Home
    folder: Path
    environment: dict[str, str]

    def services(self) -> Services:
        """Services on the home, to be closed."""
        return services_of(self.home, self.environment)

    @contextmanager
    def control(self) -> Iterator[Services]:
        """Services that are closed at the end."""
        services = self.services()
        try:
            yield services
        finally:
            services.close()


@dataclass
class Ground:
    """Everything that faults share. `home` is never written into; servers start with their first use."""

    home: Home
    folder: Path
    sandbox: Served
    stack: ExitStack
    _postgres: list[PostgresServer] = field(default_factory=list)
    _redis: list[RedisServer] = field(default_factory=list)
    _number: int = 0

    @property
    def postgres(self) -> PostgresServer:
        """A real Postgres."""
        if not self._postgres:
            self._postgres.append(self.stack.enter_context(running_postgres()))
        return self._postgres[0]

    @property
    def redis(self) -> RedisServer:
        """A real Redis that wants a password."""
        if not self._redis:
            self._redis.append(self.stack.enter_context(running_redis(self.folder)))
        return self._redis[0]

    def place(self, more: Mapping[str, str] | None = None) -> Place:
        """A copy of the home, and settings with which all of it is well."""
        self._number += 1
        folder = self.folder / str(self._number)
        home = Home(folder / "home")
        shutil.copytree(self.home.path, home.path, ignore=shutil.ignore_patterns("*.lock", "sandbox.json"))
        models = {"SOPHIA_WRITER": "openai", "SOPHIA_OPENAI_MODE": "live", "SOPHIA_ANTHROPIC_MODE": "live"}
        ports = {"SOPHIA_WEB_PORT": "1", "SOPHIA_EXPORTER_PORT": "2"}  # nobody listens there
        environment = {"SOPHIA_HOME": str(home.path), **self.sandbox.env, **models, **ports, **(more or {})}
        return Place(self, home, folder, environment)

    def fault(self, text: str) -> AbstractContextManager[None]:
        """A fault of a stand-in, for as long as the block lasts."""

        @contextmanager
        def active() -> Iterator[None]:
            self.sandbox.app.faults.add(text)
            try:
                yield
            finally:
                self.sandbox.app.faults.clear(text.partition(":")[0])

        return active()


def _unhurried(
    area: str, subject: str, look: Callable[[], Iterable[Finding]], seconds: float = _PATIENCE_SECONDS
) -> Check:
    return Check(area, subject, look, max(seconds, _PATIENCE_SECONDS))


@contextmanager
def prepared(home: Home) -> Iterator[Ground]:
    """The ground, on a finished home. The stand-ins' limits are lifted, and so are the clients' own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sophia-doctor-")))
        sandbox = stack.enter_context(served(complete_company(), limits=False))
        # A busy machine is none of the faults.
        stack.enter_context(mock.patch.object(looking, "Check", _unhurried))
        stack.enter_context(mock.patch.object(orchestrator, "SECONDS", _PATIENCE_SECONDS))
        stack.enter_context(mock.patch.object(machine, "_available", lambda: 8 << 30))
        stack.enter_context(mock.patch.object(Connections, "limiters", Unlimited()))
        brought_up = Home(folder / "home")
        shutil.copytree(home.path, brought_up.path, ignore=shutil.ignore_patterns("*.lock", "sandbox.json"))
        services = services_of(brought_up)
        # Something for the audit trail to hold.
        for reason in ("new credential", "and again"):
            services.circuits.reset("gong", "ada", reason)
        services.close()
        yield Ground(brought_up, folder, sandbox, stack)


class Unplantable(Exception):
    """A fault that cannot be planted on this machine."""


Plant = Callable[[Place], AbstractContextManager[None]]


@dataclass(frozen=True)
class Case:
    """A fault: how it is planted, and what must be said of it.

    `told` and `remedy` are words that must be in the finding. `consequences` are areas whose problems are this one's.
    """

    name: str
    plant: Plant
    area: str
    subject: str
    told: tuple[str, ...]
    remedy: tuple[str, ...]
    standing: Standing = Standing.PROBLEM
    consequences: tuple[str, ...] = ()


def complaints(case: Case, report: Report) -> list[str]:
    """What is wrong with a report on a planted fault; nothing where it is named rightly."""
    found = [each for each in report.findings if (each.area, each.subject) == (case.area, case.subject)]
    named = [each for each in found if _is_named(case, each)]
    wrong = [] if named else [f"not named: {[(each.standing, each.told, each.remedy) for each in found]}"]
    for each in report.findings:
        if each.standing is Standing.PROBLEM and each not in named and each.area not in case.consequences:
            wrong.append(f"also called a problem: {each}")
    return wrong


def _is_named(case: Case, finding: Finding) -> bool:
    return (
        finding.standing is case.standing
        and all(word in finding.told for word in case.told)
        and all(word in finding.remedy for word in case.remedy)
    )


def examined(case: Case, ground: Ground) -> tuple[Report, list[str]]:
    """Plants a fault, looks, and takes it out again: the report, and what is wrong with it."""
    place = ground.place()
    try:
        with case.plant(place):
            report = look(place.environment, folder=place.folder)
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)
    return report, complaints(case, report)


def seen(place: Place, *names: str, is_offline: bool = False) -> Report:
    """A look at a place."""
    return look(place.environment, names=names, is_offline=is_offline, folder=place.folder)


def recorded(place: Place) -> dict[str, str]:
    """All rows of the control store, and digests of all files of the home but those of locks."""
    with closing(sqlite3.connect(place.home.path / "control.db")) as connection:
        found = {"control.db": "\n".join(connection.iterdump())}
    for path in sorted(place.home.path.rglob("*")):
        if path.is_file() and path.suffix != ".lock" and not path.name.startswith("control.db"):
            found[str(path.relative_to(place.home.path))] = sha256(path.read_bytes()).hexdigest()
    return found
