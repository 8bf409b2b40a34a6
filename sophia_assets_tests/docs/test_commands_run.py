"""Every command that a page shows does what it is shown for: it ends with code 0, or with the one that is told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from sophia_assets.home import Home
from sophia_assets.sandbox.config import SandboxConfig
from sophia_assets.sandbox.launch import start_sandbox
from sophia_assets_tests.docs.execution import Kind, Ran, Workplace, kind_of
from sophia_assets_tests.docs.pages import Page, lines, pages

# More than a quarter, so that questions about this one have data from its first day on.
_DAYS = 100
_AT_ONCE = 3
_PAGES = tuple(page for page in pages() if lines(page))

# The fixture makes a home first, and each page waits for its own turn.
pytestmark = [pytest.mark.long, pytest.mark.takes(200), pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[list[Ran]]]]:
    """What came of every page's commands: each page has a copy of one finished home, and all share a sandbox."""
    folder = tmp_path_factory.mktemp("docs")
    home = Home(folder / "finished")
    _run_once(home)
    company = home.company()
    assert company and company.start and company.last_day
    config = SandboxConfig(
        seed=int(company.seed or 0),
        start=date.fromisoformat(company.start),
        as_of=date.fromisoformat(company.last_day),
        port=0,
        endpoints_file=home.sandbox_file,
        parent_pid=os.getpid(),
    )
    with start_sandbox(config, wait_for="listening"), ThreadPoolExecutor(_AT_ONCE) as pool:
        exports = _exports(folder / "exports")
        try:
            yield {
                page.name: pool.submit(_executed, page, folder / f"place-{number}", home, exports)
                for number, page in enumerate(sorted(_PAGES, key=lambda page: -len(lines(page))))
            }
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_commands_end_as_the_page_says(finished: dict[str, Future[list[Ran]]], page: Page) -> None:
    outcomes = finished[page.name].result()
    for ran in outcomes:
        print(f"{ran.seconds:6.1f} s  {ran.kind.value:<26} {ran.line.command}")

    assert not [str(ran) for ran in outcomes if not ran.is_as_written]
    if page.name == "README.md":
        assert {Kind.RUN, Kind.SERVER, Kind.DRY} <= {ran.kind for ran in outcomes}


def test_what_is_done_with_a_command_follows_from_what_it_calls() -> None:
    assert kind_of(".venv/bin/sophia circuit status --json | head -3") is Kind.RUN
    assert kind_of("make test") is Kind.DRY
    assert kind_of("make ui") is kind_of("SOPHIA_HOME=x sophia serve --port 80") is Kind.SERVER
    assert kind_of("kubectl logs deploy/web | grep sophia") is kind_of("cd x && docker build .") is Kind.NAMED


def _run_once(home: Home) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOPHIA_")}
    command = [sys.executable, "-m", "sophia_assets.cli", "run", "--days", str(_DAYS)]
    environment["SOPHIA_HOME"] = str(home.path)
    ran = subprocess.run(command, env=environment, cwd=home.path.parent, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def _executed(page: Page, folder: Path, home: Home, exports: Path) -> list[Ran]:
    """What came of the page's commands, each run once, in their order."""
    place = Workplace.make(folder, home, exports)
    distinct = {(line.before, line.command, line.exit_code): line for line in reversed(lines(page))}
    return [place.execute(line) for line in sorted(distinct.values(), key=lambda line: line.number)]


def _exports(folder: Path) -> Path:
    """A folder such as a CRM's users would put together."""
    (folder / "hubspot").mkdir(parents=True)
    (folder / "hubspot" / "companies.csv").write_text(
        "company_id,name,industry\n1,Northwind,Retail\n2,Contoso,Software\n"
    )
    deals = ["deal_id,stage,name,amount,close_date,company_id,created_at"]
    for number in range(1, 41):
        stage = "closedwon" if number % 3 else "closedlost"
        close = f"2026-{1 + number % 9:02d}-15"
        deals.append(
            f"{number},{stage},Deal {number},{1000 * number},{close},{1 + number % 2},2025-12-{1 + number % 28:02d}"
        )
    (folder / "hubspot" / "deals.csv").write_text("\n".join(deals) + "\n")
    return folder
