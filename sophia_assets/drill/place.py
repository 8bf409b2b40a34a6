"""Where a drill takes place: a home of its own, the settings in force there, a small company's stand-ins, Dagster.

Nothing of the user's is read or written: no `.env`, no setting but those here, no home but the drill's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import requests
import yaml

from sophia_assets.drill.processes import Child, Children, no_interruption
from sophia_assets.errors import SophiaError
from sophia_assets.home import Home
from sophia_assets.ports import free_port
from sophia_assets.sources import registry

if TYPE_CHECKING:
    from sophia_assets.sandbox.config import Endpoints

SEED = 7
HISTORY_DAYS = 30
# The hour (UTC) of the drill's briefing: systems are read from half an hour before, so that early is soon due.
BRIEFING_HOUR = 1
_SANDBOX_STARTS_WITHIN_S = 120.0
# How long (seconds) a circuit stays open in a drill: a briefing is to be written meanwhile.
RECOVERY_SECONDS = 30


@dataclass(frozen=True)
class Days:
    """The days of a drill: the company's first, the last that is read before the failure, and those then missed."""

    first: date
    read: date
    missed: tuple[date, ...]

    @classmethod
    def until(cls, now: datetime, missed: int) -> Days:
        """Those that end with the last day that is due at `now`, `missed` of which are missed."""
        due_since = now.astimezone(UTC) - timedelta(hours=BRIEFING_HOUR - 0.5)
        last = due_since.date() - timedelta(days=1)
        read = last - timedelta(days=missed)
        return cls(
            first=read - timedelta(days=HISTORY_DAYS - 1),
            read=read,
            missed=tuple(read + timedelta(days=number) for number in range(1, missed + 1)),
        )

    @property
    def last(self) -> date:
        """The last day that is due."""
        return self.missed[-1]


class Place:
    """The drill's home and what runs in it. Use `place_for`, which also clears it away."""

    def __init__(self, folder: Path, system: str, companion: str, days: Days, *, keep: bool) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.home.prepare()
        self.days = days
        self.port = free_port()
        settings = _settings(self.home, system, companion, days)
        # So that `sophia` finds them in the folder, where somebody looks at a home that was kept.
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")
        self.children = Children(folder, _environment(settings), keep=keep)
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(self.children)

    @property
    def address(self) -> str:
        """Where Dagster's webserver listens."""
        return f"http://127.0.0.1:{self.port}"

    def start_code_server(self) -> None:
        """Starts the process that holds the platform's definitions; it takes seconds and is waited for by nobody."""
        socket_file = self.folder / "code.sock"
        workspace = {"load_from": [{"grpc_server": {"socket": str(socket_file), "location_name": "sophia_assets"}}]}
        (self.folder / "workspace.yaml").write_text(yaml.safe_dump(workspace), encoding="utf-8")
        self.children.start(
            "code server", "-m", "dagster", "api", "grpc", "--socket", str(socket_file),
            "--module-name", "sophia_assets.definitions", "--location-name", "sophia_assets",
            "--use-python-environment-entry-point",
        )  # fmt: skip

    @property
    def is_code_server_listening(self) -> bool:
        """Whether the code server answers."""
        return (self.folder / "code.sock").exists()

    def start_first_run(self) -> Child:
        """Starts `sophia run` for the last day before the failure."""
        return self.children.start(
            "first run", "-m", "sophia_assets.cli", "run", "--json", "--seed", str(SEED), "--days", str(HISTORY_DAYS),
            "--date", self.days.read.isoformat(),
        )  # fmt: skip

    def configure_dagster(self) -> None:
        """Writes the home's `dagster.yaml`, with a run queue that is looked at every second."""
        # Importing it brings Dagster with it, which takes a second.
        from sophia_assets.orchestration.instance import dagster_home_for

        file = dagster_home_for(self.home) / "dagster.yaml"
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
        settings["run_coordinator"]["config"] = {"dequeue_interval_seconds": 1}
        file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")

    def start_dagster(self) -> None:
        """Starts the webserver and the daemon on the home's own Dagster instance, which the first run has made."""
        workspace = str(self.folder / "workspace.yaml")
        self.children.start(
            "webserver", "-m", "dagster_webserver", "--host", "127.0.0.1", "--port", str(self.port), "-w", workspace
        )
        self.children.start("daemon", "-m", "dagster._daemon", "run", "-w", workspace)

    def start_sandbox(self) -> Faults:
        """Starts the stand-ins of the company, which now has the missed days; every process of the home finds them."""
        from sophia_assets.sandbox.config import SandboxConfig
        from sophia_assets.sandbox.launch import start_sandbox

        config = SandboxConfig(
            seed=SEED, start=self.days.first, as_of=self.days.last, endpoints_file=self.home.sandbox_file
        )
        sandbox = self._stack.enter_context(start_sandbox(config, wait_for=None))
        sandbox.wait("ready", timeout_s=_SANDBOX_STARTS_WITHIN_S)
        return Faults(sandbox.endpoints)

    def close(self) -> None:
        """Ends everything that was started."""
        with no_interruption():
            self._stack.close()


class Faults:
    """What goes wrong with the stand-ins."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._controls = f"{endpoints.env['GONG_BASE_URL'].removesuffix('/gong')}/_control/faults"

    def add(self, fault: str) -> None:
        """Plays a fault such as `gong:down`. Raises SophiaError where the stand-in cannot."""
        self._tell("POST", fault=fault)

    def clear(self, system: str) -> None:
        """Heals a system."""
        self._tell("DELETE", system=system)

    def _tell(self, method: str, *, fault: str | None = None, system: str | None = None) -> None:
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    method, self._controls, json={"fault": fault}, params={"system": system}, timeout=30
                )
        except requests.RequestException as error:
            raise SophiaError(f"the sandbox does not answer ({type(error).__name__})") from None
        if answer.status_code != 200:
            raise SophiaError(f"the sandbox refuses a fault ({answer.text[:200]})")


@contextlib.contextmanager
def place_for(system: str, companion: str, days: Days, *, keep: bool) -> Iterator[Place]:
    """A place for a drill, which is cleared away afterwards; `keep` leaves the folder."""
    folder = Path(tempfile.mkdtemp(prefix="sophia-drill-"))
    place = None
    try:
        place = Place(folder, system, companion, days, keep=keep)
        yield place
    finally:
        with no_interruption():
            if place is not None:
                place.close()
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of the drill's processes: the drill's settings, and of the user's what is no setting of ours."""
    connections = {name for system in registry.SYSTEMS for name in registry.settings_of(system).names}
    foreign = ("SOPHIA_", "DAGSTER_", "PULUMI_")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign) and name not in connections
    }
    # What a run plans to do is stored in one go; what libraries warn of is nobody's concern here.
    return {**kept, **settings, "DAGSTER_EVENT_BATCH_SIZE": "1000", "PYTHONWARNINGS": "ignore"}


def _settings(home: Home, system: str, companion: str, days: Days) -> dict[str, str]:
    """The drill's settings: two systems, and all that is waited for as short as it may be."""
    breaker = f"SOPHIA_{system.upper()}_BREAKER"
    return {
        "SOPHIA_HOME": str(home.path),
        "DAGSTER_HOME": str(home.dagster),
        "SOPHIA_TIMEZONE": "UTC",
        "SOPHIA_HISTORY_START": days.first.isoformat(),
        "SOPHIA_BRIEFING_HOUR": str(BRIEFING_HOUR),
        "SOPHIA_SENSOR_SECONDS": "3",
        **{f"SOPHIA_{each.upper()}_MODE": "off" for each in registry.SYSTEMS if each not in (system, companion)},
        f"{breaker}_FAILURE_THRESHOLD": "1",
        f"{breaker}_RECOVERY_TIMEOUT_SECONDS": str(RECOVERY_SECONDS),
        f"{breaker}_LONGEST_SECONDS": str(RECOVERY_SECONDS),
    }


def rows_read(first_run: Child) -> int:
    """How many rows the first run has read. Raises SophiaError where it did not end well."""
    if first_run.process.returncode != 0:
        raise SophiaError(f"the first `sophia run` failed; the last it said is: {first_run.last_line}")
    told = first_run.log.read_text(encoding="utf-8")
    result, _ = json.JSONDecoder().raw_decode(told, told.index("\n{") + 1)
    return sum(result["rows"].values())
