"""What must still be quick, and still be there, after a year: sensors, the UI in a browser, the exporter, briefings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import requests

from sophia_assets.access.audit_verification import verify
from sophia_assets.access.roles import EXECUTIVE
from sophia_assets.control.published import Register
from sophia_assets.definitions import build_definitions
from sophia_assets.home import Home, make_current
from sophia_assets.insight.archive import BriefingArchive
from sophia_assets.insight.kinds import DAILY
from sophia_assets.insight.reverification import verify_stored
from sophia_assets.orchestration.instance import dagster_home_for, instance_for
from sophia_assets.ports import free_port
from sophia_assets.services import Services
from sophia_assets.settings import PROJECT_ROOT, load_settings
from sophia_assets_tests.benchmarks.ticks import addresses, looks_at
from sophia_assets_tests.waiting import until

LONGEST_TICK, LONGEST_PAGE, LONGEST_SCRAPE = 2.0, 3.0, 0.2
_BRIEFING = "/assets/insight/daily_briefing"
# Each page, and the element by which it is known to be drawn.
PAGES = {
    "asset graph": (f"{_BRIEFING}?view=lineage&lineageScope=upstream&lineageDepth=6", "svg foreignObject"),
    "asset": ("/assets/hubspot/deals?view=overview", "text=Freshness policy"),
    "runs": ("/runs", "text=daily_briefing"),
    "automation": ("/automation", "text=circuit_hubspot"),
}


def verified(services: Services, past: date) -> list[str]:
    """What does not verify: a briefing of long ago, one that is written now, the audit trail."""
    services.publisher.write(past, services.compute_facts(past))
    archive, register = BriefingArchive(services.home.briefings), Register(services.control)
    days = [day for day in archive.days() if day <= past][-2:]
    found = []
    for day in days:
        verdict = verify_stored(archive, day, DAILY, EXECUTIVE, registered=register.digest)
        if verdict.state != "verified":
            found.append(f"the briefing of {day} is {verdict.state}: {verdict.findings[:2]}")
    chain = services.control.chain
    assert chain is not None
    trail = verify(services.control, chain)
    if not trail.is_whole:
        found.append(f"the audit trail is not whole: {trail.findings[0]}")
    return found


def afterwards(services: Services, now: datetime, *, with_ui: bool) -> tuple[dict[str, Any], list[str]]:
    """The seconds that everything takes on the services' home, and what took too long."""
    home = services.home
    settings = load_settings({"SOPHIA_HOME": str(home.path), **addresses()})
    make_current(settings, home)
    definitions = build_definitions(home=home)
    with instance_for(home, settings) as instance:
        look = looks_at(instance, definitions, settings, home)
        ticks = max(max(look(now)) for _ in range(3))
    scrapes = scraped(home)
    found: dict[str, Any] = {"longest_tick_s": ticks, "scrape_s": scrapes}
    problems = [f"a sensor's look took {ticks:.2f} s"] if ticks > LONGEST_TICK else []
    problems += [f"a scrape took {scrapes:.3f} s"] if scrapes > LONGEST_SCRAPE else []
    if with_ui:
        pages = found["pages_s"] = drawn(home)
        problems += [f"{name} took {took:.1f} s" for name, took in pages.items() if took > LONGEST_PAGE]
    return found, problems


def scraped(home: Home) -> float:
    """The median of twenty scrapes of `sophia exporter` on a home, once it has looked at everything."""
    command = [sys.executable, "-m", "sophia_assets.cli", "exporter", "--port", "{port}"]
    with _serving(command, home) as address:
        _until_there(f"{address}/metrics")
        time.sleep(5)  # its first look at what is slow
        took = []
        for _ in range(20):
            began = time.monotonic()
            requests.get(f"{address}/metrics", timeout=30).raise_for_status()
            took.append(time.monotonic() - began)
    return sorted(took)[10]


def drawn(home: Home) -> dict[str, float]:
    """How long it takes a browser until each page of Dagster's UI shows what it is about; the second time of each."""
    from sophia_assets_tests.pictures import browser_page

    webserver = str(Path(sys.executable).with_name("dagster-webserver"))
    command = [webserver, "-w", str(PROJECT_ROOT / "workspace.yaml"), "-p", "{port}"]
    with _serving(command, home) as address, browser_page(1500, 1500) as page:
        _until_there(f"{address}/server_info")
        _until_assets(address)
        found = {}
        for name, (path, element) in PAGES.items():
            for _ in range(2):
                began = time.monotonic()
                page.goto(f"{address}{path}")
                page.locator(element).first.wait_for(timeout=60_000)
                found[name] = round(time.monotonic() - began, 3)
    return found


@contextmanager
def _serving(command: list[str], home: Home) -> Iterator[str]:
    port = free_port()
    environment: Mapping[str, str] = {
        **os.environ,
        "SOPHIA_HOME": str(home.path),
        "DAGSTER_HOME": str(dagster_home_for(home)),
    }
    process = subprocess.Popen(
        [part.format(port=port) for part in command],
        env=dict(environment),
        cwd=PROJECT_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _until_there(url: str) -> None:
    until(lambda: requests.get(url, timeout=30).ok, f"{url} answers", 120, despite=(requests.RequestException,))


def _until_assets(address: str) -> None:
    def shows() -> bool:
        answer = requests.post(f"{address}/graphql", json={"query": "{assetNodes{id}}"}, timeout=30).json()
        return bool(answer.get("data", {}).get("assetNodes"))

    until(shows, f"the UI at {address} shows its assets", 120, despite=(requests.RequestException, ValueError))
