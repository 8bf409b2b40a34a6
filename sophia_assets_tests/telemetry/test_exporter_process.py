"""`sophia exporter` as whoever runs the platform starts it: a process, its port, and its end."""

from __future__ import annotations

import gzip
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from sophia_assets.home import Home
from sophia_assets.ports import free_port
from sophia_assets.telemetry.recording import write
from sophia_assets.telemetry.series import FETCHES
from sophia_assets_tests.finished_home import copied_home, services_of
from sophia_assets_tests.telemetry.exporting import read, record_everything

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
_SOPHIA = Path(sys.executable).with_name("sophia")


@dataclass
class Exporter:
    """A running exporter on a home."""

    process: subprocess.Popen[str]
    home: Home
    port: int

    def get(self, path: str = "/metrics", **headers: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=30)


def start(home: Path, port: int) -> subprocess.Popen[str]:
    command = [str(_SOPHIA), "exporter", "--port", str(port)]
    environment = {"PATH": "/usr/bin:/bin", "SOPHIA_HOME": str(home), "SOPHIA_EXPORTER_SECONDS": "1"}
    return subprocess.Popen(
        command, env=environment, cwd=home.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@contextmanager
def exporting(home: Home) -> Iterator[Exporter]:
    """An exporter that serves, until the block ends."""
    port = free_port()
    with start(home.path, port) as process:
        try:
            assert process.stdout is not None
            assert "/metrics" in process.stdout.readline()
            yield Exporter(process, home, port)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def exporter(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    home = copied_home(finished_home, tmp_path_factory.mktemp("process") / "home")
    record_everything(home)
    with exporting(home) as running:
        yield running


def test_it_is_served_as_text_and_as_openmetrics(exporter: Exporter) -> None:
    plain = exporter.get(Accept="text/plain")
    assert plain.headers["content-type"].startswith("text/plain")
    assert read(plain.text).value("sophia_exporter_collector_up", collector="recorded") == 1
    other = exporter.get(Accept="application/openmetrics-text; version=1.0.0")
    assert other.headers["content-type"].startswith("application/openmetrics-text")
    assert other.text.endswith("# EOF\n")
    packed = requests.get(
        f"http://127.0.0.1:{exporter.port}/metrics", headers={"Accept-Encoding": "gzip"}, stream=True, timeout=30
    )
    assert b"sophia_build_info" in gzip.decompress(packed.raw.read())


def test_its_other_pages_say_little(exporter: Exporter) -> None:
    assert exporter.get("/healthz").text == "alive\n"
    assert "/metrics" in exporter.get("/").text
    assert exporter.get("/../../etc/passwd").status_code == 404
    assert requests.post(f"http://127.0.0.1:{exporter.port}/metrics", data="x" * 100, timeout=30).status_code == 405


def test_what_is_written_meanwhile_is_told_a_moment_later(exporter: Exporter) -> None:
    """With a writer that writes all the time."""
    services = services_of(exporter.home)
    is_over = threading.Event()

    def writing() -> None:
        while not is_over.is_set():
            with services.control.transaction() as connection:
                write(connection, [FETCHES.add(source="gong")])

    before = read(exporter.get().text).value(FETCHES.name, source="gong")
    writer = threading.Thread(target=writing)
    writer.start()
    try:
        values: list[float] = []
        deadline = time.monotonic() + 60
        while len(set(values)) < 4 and time.monotonic() < deadline:
            told = read(exporter.get().text)
            values.append(told.value(FETCHES.name, source="gong"))
            assert told.value("sophia_exporter_collector_up", collector="recorded") == 1
            is_over.wait(0.3)
    finally:
        is_over.set()
        writer.join(20)
        services.close()
    assert values == sorted(values)
    assert values[-1] > before


def test_who_says_nothing_keeps_nobody_waiting(exporter: Exporter) -> None:
    silent = [socket.create_connection(("127.0.0.1", exporter.port)) for _ in range(50)]
    try:
        # One after another they would be waited for longer than this request has.
        assert exporter.get().status_code == 200
    finally:
        for each in silent:
            each.close()


def test_a_taken_port_is_one_clear_line(exporter: Exporter) -> None:
    second = start(exporter.home.path, exporter.port)
    told, problem = second.communicate(timeout=60)
    assert second.returncode == 3
    assert told == ""
    assert problem.count("\n") == 1
    assert f"port {exporter.port}, which the exporter needs, is taken" in problem


def test_it_ends_cleanly_when_it_is_asked_to(tmp_path: Path) -> None:
    with exporting(Home(tmp_path / "home")) as own:
        own.process.send_signal(signal.SIGTERM)
        told, problem = own.process.communicate(timeout=60)
    assert (own.process.returncode, told, problem) == (0, "Stopped.\n", "")
