"""Takes the README's pictures from the running program: `make pictures`.

Runs the platform in a home of its own, opens the briefing and Dagster's UI in Chromium, and writes PNG
files to `.github/images/`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Page, sync_playwright

from sophia_assets.ports import free_port
from sophia_assets.settings import PROJECT_ROOT, read_json

IMAGES = PROJECT_ROOT / ".github" / "images"
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_UI_STARTS_WITHIN_S = 120


@contextmanager
def browser_page(width: int, height: int, scale: float = 1.0) -> Iterator[Page]:
    """A page of a headless Chromium from the system."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"), args=list(CHROMIUM_ARGUMENTS)
        )
        yield chromium.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
        chromium.close()


@contextmanager
def running_ui(environment: dict[str, str]) -> Iterator[str]:
    """`sophia ui` on a free port, ready to be asked; its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "sophia_assets.cli", "ui", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for_assets(address)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _wait_for_assets(address: str) -> None:
    deadline = time.monotonic() + _UI_STARTS_WITHIN_S
    while time.monotonic() < deadline:
        try:
            answer: Any = requests.post(f"{address}/graphql", json={"query": "{assetNodes{id}}"}, timeout=5).json()
            if answer.get("data", {}).get("assetNodes"):
                return
        except (requests.RequestException, ValueError):
            pass
        time.sleep(1)
    raise TimeoutError(f"the UI did not show its assets within {_UI_STARTS_WITHIN_S} s")


@contextmanager
def running_reader(environment: dict[str, str]) -> Iterator[str]:
    """`sophia serve` on a free port; the link that logs in."""
    port = free_port()
    command = [sys.executable, "-m", "sophia_assets.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    try:
        line = next(line for line in process.stdout if "/login?token=" in line)
        yield line[line.index("http") :].strip()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def take_question(environment: dict[str, str]) -> None:
    """The picture of a question and its answer."""
    with running_reader(environment) as link, browser_page(1100, 1150) as page:
        page.goto(link)
        if page.get_by_role("button", name="Log in").count():
            page.get_by_role("button", name="Log in").click()
        page.goto(link.partition("/login")[0] + "/ask")
        page.get_by_label("Your question").fill("Why did bookings change this quarter?")
        page.get_by_role("main").get_by_role("button", name="Ask", exact=True).click()
        page.get_by_text("Answered from").wait_for()
        page.screenshot(path=IMAGES / "question.png")


def main() -> None:
    """Takes all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "SOPHIA_HOME": folder}
        subprocess.run([sys.executable, "-m", "sophia_assets.cli", "run"], env=environment, check=True)
        pointer = read_json(Path(folder) / "current.json")
        assert pointer
        newest = sorted((Path(folder) / pointer["home"] / "briefings").glob("*/briefing.html"))[-1]
        with browser_page(1100, 1750) as page:
            page.goto(newest.as_uri())
            page.screenshot(path=IMAGES / "briefing.png")
        take_question(environment)
        with running_ui(environment) as address, browser_page(1500, 1500) as page:
            page.goto(f"{address}/assets/marts/customer_health?view=lineage&lineageScope=neighbors&lineageDepth=2")
            page.get_by_text("customer_health").last.wait_for()
            # The graph draws itself in steps and tells nobody when it has finished.
            page.wait_for_timeout(8_000)
            page.screenshot(path=IMAGES / "assets.png")
            page.goto(f"{address}/assets/hubspot/deals?view=overview")
            page.get_by_text("Freshness policy").first.wait_for()
            page.wait_for_timeout(3_000)
            page.screenshot(path=IMAGES / "table.png")


if __name__ == "__main__":
    main()
