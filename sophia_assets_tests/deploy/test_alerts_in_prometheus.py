"""The committed rules and scrape configuration in a real Prometheus that scrapes the real exporter and web process."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from sophia_assets.home import Home
from sophia_assets.ports import free_port
from sophia_assets_tests.deploy import alert_files as files
from sophia_assets_tests.finished_home import copied_home
from sophia_assets_tests.waiting import until

PROMETHEUS = shutil.which("prometheus")
pytestmark = [
    pytest.mark.long,
    pytest.mark.takes(60),
    pytest.mark.timeout(600),
    pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (Debian: prometheus)"),
]

SOPHIA = Path(sys.executable).with_name("sophia")
# Gong counts as live, so that what is about it is told to people; nothing in these tests asks it.
LIVE = {"SOPHIA_GONG_MODE": "live", "GONG_ACCESS_KEY": "key", "GONG_ACCESS_KEY_SECRET": "secret"}
ADDRESS = {"GONG_BASE_URL": "https://api.gong.invalid"}


def eventually(what: str, holds: Callable[[], Any]) -> Any:
    """The first true answer of `holds`, also where Prometheus does not answer yet."""
    return until(lambda: holds() or None, what, despite=(requests.RequestException, KeyError))


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process, which is over afterwards; what it says goes to a file."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment, cwd=log.parent, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@dataclass
class Watched:
    """An installation with its exporter, its web process and Prometheus."""

    folder: Path
    home: Home
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in ("sophia", "web", "own")})

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "SOPHIA_HOME": str(self.home.path),
            "SOPHIA_EXPORTER_SECONDS": "1",
            **LIVE,
            **ADDRESS,
        }

    def sophia(self, *arguments: str) -> str:
        """What a command prints; it has to succeed."""
        command = [str(SOPHIA), *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def exporter(self) -> list[str]:
        return [str(SOPHIA), "exporter", "--port", str(self.ports["sophia"])]

    def web(self) -> list[str]:
        return [str(SOPHIA), "serve", "--port", str(self.ports["web"])]

    def configure(self) -> Path:
        """Writes the committed configuration and rules, with other addresses and without patience."""
        text = re.sub(r"^(\s+for:) \w+", r"\1 2s", files.RULES.read_text(), flags=re.MULTILINE)
        (self.folder / "alerts.yaml").write_text(text.replace("interval: 1m", "interval: 1s"))
        token = self.sophia("users", "add", "prometheus", "--role", "auditor", "--reason", "scrapes", "--json")
        (self.folder / "token").write_text(json.loads(token)["token"])
        content = yaml.safe_load((files.PROMETHEUS / "prometheus.yaml").read_text())
        content["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        for job, name in zip(content["scrape_configs"], ("sophia", "web", "own"), strict=True):
            job["static_configs"][0]["targets"] = [f"127.0.0.1:{self.ports[name]}"]
        content["scrape_configs"][1]["authorization"]["credentials_file"] = str(self.folder / "token")
        path = self.folder / "prometheus.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    def prometheus(self) -> list[str]:
        own = f"127.0.0.1:{self.ports['own']}"
        places = ["--config.file", str(self.configure()), "--storage.tsdb.path", str(self.folder / "data")]
        return [str(PROMETHEUS), *places, f"--web.listen-address={own}", "--web.enable-lifecycle", "--log.level=warn"]

    def ask(self, path: str, **parameters: str) -> Any:
        """What Prometheus' API answers."""
        url = f"http://127.0.0.1:{self.ports['own']}/api/v1/{path}"
        return requests.get(url, params=parameters, timeout=30).json()["data"]

    def firing(self, name: str) -> list[dict[str, Any]]:
        """The alerts of that name that fire."""
        alerts = self.ask("alerts")["alerts"]
        return [each for each in alerts if each["labels"]["alertname"] == name and each["state"] == "firing"]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule as Prometheus has it."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def watched(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """All of it, on a copy of a finished home, until every target is up and every rule was evaluated twice."""
    folder = tmp_path_factory.mktemp("watched")
    found = Watched(folder, copied_home(finished_home, folder / "home"))
    prometheus = found.prometheus()
    with ExitStack() as stack:
        for name, command in (("exporter", found.exporter()), ("web", found.web()), ("prometheus", prometheus)):
            environment = {"PATH": "/usr/bin:/bin"} if name == "prometheus" else found.environment
            stack.enter_context(running(command, environment, folder / f"{name}.log"))
        eventually("every target is up", lambda: _all_up(found))
        eventually("every rule is evaluated", lambda: all(rule["health"] != "unknown" for rule in found.rules()))
        yield found


def _all_up(found: Watched) -> bool:
    targets = found.ask("targets")["activeTargets"]
    return len(targets) == 3 and all(target["health"] == "up" for target in targets)


def test_every_rule_is_evaluated_without_an_error(watched: Watched) -> None:
    rules = watched.rules()
    assert len(rules) == len(files.rules())
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}


def test_every_series_of_an_alert_about_what_there_is_can_be_found(watched: Watched) -> None:
    expected = {
        name
        for rule in files.alerts()
        for name in files.named_in(rule.expr).series
        if not name.startswith("sophia:") and name != "ALERTS"
    }
    # Without a run by Dagster there is nothing of it, and where retention never ran there is no moment.
    silent = {name for name in expected if name.startswith(("sophia_tick_", "sophia_daemon_", "sophia_retention_"))}
    # A web process tells of its requests once it has answered one: the scrape before.
    eventually("every other series was scraped", lambda: expected - silent <= set(watched.ask("label/__name__/values")))


def test_an_opened_circuit_is_told_and_its_end_as_well(watched: Watched) -> None:
    watched.sophia("circuit", "open", "gong", "--reason", "to see the alert", "--ttl", "1h")
    [alert] = eventually("the circuit's alert fires", lambda: watched.firing("SophiaCircuitOpen"))
    assert alert["labels"] == {
        "alertname": "SophiaCircuitOpen",
        "name": "gong",
        "source": "gong",
        "mode": "live",
        "severity": "warning",
    }
    assert alert["annotations"]["runbook_url"].endswith("deploy/runbooks.md#sophiacircuitopen")
    watched.sophia("circuit", "reset", "gong", "--reason", "it was seen")
    eventually("the circuit's alert is over", lambda: not watched.firing("SophiaCircuitOpen"))


def test_an_exporter_that_is_killed_is_told_and_its_return_as_well(watched: Watched) -> None:
    spare = free_port()
    usual, watched.ports["sophia"] = watched.ports["sophia"], spare
    config = watched.folder / "prometheus.yaml"
    before = config.read_text()
    try:
        config.write_text(before.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{spare}"))
        _reload(watched)
        [alert] = eventually("nobody answers at the new address", lambda: watched.firing("SophiaExporterDown"))
        assert alert["labels"]["severity"] == "critical"
        with running(watched.exporter(), watched.environment, watched.folder / "second.log") as second:
            eventually("the exporter is back", lambda: not watched.firing("SophiaExporterDown"))
            second.kill()
            eventually("the killed exporter is told", lambda: watched.firing("SophiaExporterDown"))
    finally:
        watched.ports["sophia"] = usual
        config.write_text(before)
        _reload(watched)
    eventually("all is as it was", lambda: _all_up(watched) and not watched.firing("SophiaExporterDown"))


def _reload(watched: Watched) -> None:
    requests.post(f"http://127.0.0.1:{watched.ports['own']}/-/reload", timeout=60).raise_for_status()
