"""Whoever follows CONTRIBUTING to the letter has something that works: each example is put into a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import sophia_assets
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets_tests.docs.pages import page

_STEP = re.compile(r"(?ms)^(New file|At the end of) `([^`]+)`:\n\n```\w+\n(.*?)^```")
_COMMANDS = re.compile(r"(?ms)^```sh\n(.*?)^```")

pytestmark = [pytest.mark.long, pytest.mark.takes(60), pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Tree:
    """A copy of the project."""

    folder: Path

    def follow(self, section: str) -> str:
        """Does what a section of the page says with files; returns the section."""
        told = page(".github/CONTRIBUTING.md").section(section)
        steps = _STEP.findall(told)
        assert steps
        for how, name, text in steps:
            path = self.folder / name
            assert path.exists() == (how != "New file"), path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(text)
        return told

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command on the copy's code."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SOPHIA_", "PYTEST_"))}
        environment |= {
            "PYTHONPATH": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def python(self, script: str) -> str:
        """What a script prints."""
        ran = self.run(sys.executable, "-c", script)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """The code, the models, what deploys them, and the tests, to be written into."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("sophia_assets", "sophia_assets_tests", "sql", "deploy"):
        shutil.copytree(PROJECT_ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "dagster.yaml", "workspace.yaml", "Makefile", ".env.example"):
        shutil.copy(PROJECT_ROOT / name, tmp_path / name)
    made = Tree(tmp_path)
    assert made.python("import sophia_assets; print(sophia_assets.__file__)").strip().startswith(str(tmp_path))
    return made


def test_a_metric_is_one_block(tree: Tree) -> None:
    tree.follow("Add a metric")

    checked = tree.run(sys.executable, "-m", "sophia_assets.cli", "metrics", "check")
    shown = tree.run(sys.executable, "-m", "sophia_assets.cli", "metrics", "show", "dissatisfied_answers")

    assert checked.returncode == 0, checked.stdout
    assert "Dissatisfied answers" in shown.stdout


def test_a_model_is_one_file(tree: Tree) -> None:
    told = tree.follow("Add a model")
    found = _COMMANDS.search(told)
    assert found

    ran = tree.run(sys.executable, *found[1].split()[1:], "-p", "no:cacheprovider")

    assert ran.returncode == 0, ran.stdout
    assert "invoice_months" in tree.python(
        "from sophia_assets.warehouse.models import load_models; print(*load_models())"
    )


def test_a_source_is_one_folder(tree: Tree) -> None:
    tree.follow("Add a source")

    assert tree.python(_READ_HELPDESK).split() == ["3", "2", "live"]
    ran = tree.run(
        *(sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider"),
        *("sophia_assets_tests/orchestration/test_definitions.py", "-k", "every_raw_table_has or newest_event"),
    )
    assert ran.returncode == 0, ran.stdout


def test_a_series_and_an_alert_are_known(tree: Tree) -> None:
    tree.follow("Add a series and an alert")

    assert "sophia_articles_read_total" in tree.python(
        "from sophia_assets.telemetry import series; print(series.ARTICLES_READ.add(source='helpdesk').series.name)"
    )
    checked = tree.run("promtool", "check", "rules", "deploy/prometheus/alerts.yaml")
    assert checked.returncode == 0, checked.stderr


def test_a_check_of_the_doctor_yields_findings(tree: Tree) -> None:
    tree.follow("Add a check of the doctor")

    told = tree.python(
        "from sophia_assets.doctor.machine import check_processors\n"
        "print(*(found.standing for count in (1, 2) for found in check_processors(count)))"
    )
    assert told.split() == ["warning", "ok"]


def test_a_setting_refuses_what_is_not_allowed(tree: Tree) -> None:
    tree.follow("Add a setting")

    told = tree.python(
        "from sophia_assets.settings.greeting import read_greeting as r\n"
        "print(r({}).tone)\n"
        "try:\n    r({'SOPHIA_GREETING_TONE': 'loud'})\nexcept Exception as error:\n    print(error)"
    )
    assert told.startswith("plain\n")
    assert "SOPHIA_GREETING_TONE" in told
    assert "warm" in told


def test_every_package_is_in_the_plan_of_the_house() -> None:
    assert sophia_assets.__file__
    packages = {path.parent.name for path in Path(sophia_assets.__file__).parent.glob("*/__init__.py")}
    told = page(".github/CONTRIBUTING.md").section("The way of the data")

    assert set(re.findall(r"(?m)^\| `(\w+)` \|", told)) == packages


_READ_HELPDESK = """
import json, tempfile, threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sophia_assets.ingestion.ingest import ingest_group
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse

PAGES = {
    "1": {"articles": [{"id": "a", "title": "One"}, {"id": "b", "title": "Two"}], "next": 2},
    "2": {"articles": [{"id": "c", "title": "Three", "updated_at": "2026-01-01T00:00:00Z"}]},
}


class Helpdesk(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(PAGES[parse_qs(urlsplit(self.path).query)["page"][0]]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *told):
        pass


server = HTTPServer(("127.0.0.1", 0), Helpdesk)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = {"HELPDESK_BASE_URL": f"http://127.0.0.1:{server.server_address[1]}", "HELPDESK_TOKEN": "t"}
source = registry.create_source_from_settings("helpdesk", address)
warehouse = DuckDBWarehouse(Path(tempfile.mkdtemp()) / "w.duckdb", tables=registry.tables("helpdesk"))
[result] = ingest_group(source, "articles", Window(None, datetime(2026, 2, 1, tzinfo=UTC)), warehouse, run_id="r")
mode = load_settings({**address, "SOPHIA_HELPDESK_MODE": "live"}).modes["helpdesk"]
print(result.rows_total, result.requests, mode)
server.shutdown()
"""
