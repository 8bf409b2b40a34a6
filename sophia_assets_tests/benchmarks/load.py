"""`python -m sophia_assets_tests.benchmarks.load`: a hundred readers at once on the real web process.

The reader is served by a process of its own on loopback, on a copy of a finished home; locust plays the readers of the
reference mix. `--llm` says who phrases the answers: nobody, the sandbox's models, models that stall, models that are
down. Told: requests, failures, percentiles, cache hits, and the process's memory over time.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil

from sophia_assets.access.users import Users
from sophia_assets.control.store import ControlStore
from sophia_assets.home import current_home
from sophia_assets.ports import free_port
from sophia_assets.sandbox.config import SandboxConfig
from sophia_assets.sandbox.launch import start_sandbox
from sophia_assets.settings import PROJECT_ROOT, load_settings

SOPHIA = Path(sys.executable).with_name("sophia")
ROLES = ("executive", "executive", "sales_leader", "engineering_leader", "analyst")
LLM = {
    "off": (),
    "healthy": ("openai:slow:1.75", "anthropic:slow:1.75"),
    "stalled": ("openai:stall", "anthropic:stall"),
    "down": ("openai:down", "anthropic:down"),
}


def measured(home: Path, users: int, seconds: int, llm: str) -> dict[str, Any]:
    """One run of the readers on a copy of `home`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copytree(home, folder / "var", ignore=shutil.ignore_patterns("*.lock"))
        environment = {**_plain_environment(), "SOPHIA_HOME": str(folder / "var")}
        if llm != "off":
            sandbox = stack.enter_context(
                start_sandbox(SandboxConfig(faults=LLM[llm], limits=False, scale=0.2), wait_for="listening")
            )
            models = {k: v for k, v in sandbox.endpoints.env.items() if k.startswith(("OPENAI_", "ANTHROPIC_"))}
            environment |= {**models, "SOPHIA_WRITER": "anthropic", "SOPHIA_LLM_DAILY_BUDGET_USD": "1000"}
        tokens = _tokens(environment)
        address, process = stack.enter_context(_served(environment, folder))
        watch = stack.enter_context(_memory(process))
        figures = _locust(address, tokens, users, seconds, folder)
        usage = _get(f"{address}/api/usage", tokens[0])
        return {"llm": llm, "users": users, "seconds": seconds, **figures, "usage": usage, "rss_mb": watch.shown()}


def _plain_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def _tokens(environment: dict[str, str]) -> list[str]:
    """Users of several roles, an executive's token first."""
    settings = load_settings(environment)
    store = ControlStore.at(current_home(settings).path / "control.db")
    try:
        return [Users(store).add(f"reader{n}", role, by="load") for n, role in enumerate(ROLES)]
    finally:
        store.close()


@contextmanager
def _served(environment: dict[str, str], folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = (folder / "serve.log").open("wb")
    process = subprocess.Popen(
        [SOPHIA, "serve", "--port", str(port)], env=environment, cwd=folder, stdout=log, stderr=log
    )
    try:
        deadline = time.monotonic() + 60
        while not _is_ready(address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((folder / "serve.log").read_text()[-2000:])
            time.sleep(0.2)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _is_ready(address: str) -> bool:
    try:
        with urlopen(f"{address}/readyz", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


class _Watch(threading.Thread):
    """The memory of a process, every second."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._process, self._ended, self.samples = process, threading.Event(), list[float]()

    def run(self) -> None:
        while not self._ended.wait(1.0):
            try:
                self.samples.append(self._process.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                return

    def end(self) -> None:
        self._ended.set()
        self.join()

    def shown(self) -> dict[str, float]:
        """After a fifth of the time, at the end, and the peak."""
        held = self.samples or [0.0]
        return {"after_a_fifth": held[len(held) // 5], "end": held[-1], "peak": max(held)}


@contextmanager
def _memory(process: psutil.Process) -> Iterator[_Watch]:
    watch = _Watch(process)
    watch.start()
    try:
        yield watch
    finally:
        watch.end()


def _locust(address: str, tokens: list[str], users: int, seconds: int, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("load_users.py")), "--headless"]
    command += ["-u", str(users), "-r", str(max(1, users // 5)), "-t", f"{seconds}s", "-H", address, "--only-summary"]
    command += ["--csv", str(folder / "load"), "--exit-code-on-error", "0"]
    environment = {**_plain_environment(), "LOAD_TOKENS": " ".join(tokens), "PYTHONPATH": str(PROJECT_ROOT)}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=seconds + 120)
    stats = folder / "load_stats.csv"
    if not stats.exists():
        raise SystemExit(done.stderr[-2000:])
    rows = {row["Name"]: row for row in csv.DictReader(stats.open(encoding="utf-8"))}
    shown = {}
    for name in ("chat", "Aggregated"):
        row = rows[name]
        shown[name] = {
            "requests": int(row["Request Count"]),
            "failures": int(row["Failure Count"]),
            "per_second": round(float(row["Requests/s"]), 1),
            **{f"p{part}_ms": float(row[f"{part}%"]) for part in (50, 95, 99)},
        }
    failures = folder / "load_failures.csv"
    lines = failures.read_text(encoding="utf-8").splitlines()[1:6] if failures.exists() else []
    return {"answers": shown, "first_failures": lines}


def _get(address: str, token: str) -> Any:
    with urlopen(Request(address, headers={"Authorization": f"Bearer {token}"}), timeout=10) as response:
        return json.load(response)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=None, help="a finished home (default: the one last run)")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--llm", choices=LLM, default="off")
    given = parser.parse_args()
    home = given.home or load_settings().base_home
    print(json.dumps(measured(home, given.users, given.seconds, given.llm), indent=1))


if __name__ == "__main__":
    main()
