"""`sophia serve` as a process: where it listens, what it refuses to do, TLS, a proxy in front, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from sophia_assets.access.principal import EVERY_ROW
from sophia_assets.errors import ConfigurationError
from sophia_assets.home import Home
from sophia_assets.ports import free_port
from sophia_assets.settings.web import read_web
from sophia_assets.web.server import refuse_unsafe, serve
from sophia_assets_tests.certificates import certificate_and_key
from sophia_assets_tests.finished_home import copied_home, services_of
from sophia_assets_tests.web.serving import Echoing, served


@pytest.fixture(scope="module")
def home(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home without any user."""
    return copied_home(finished_home, tmp_path_factory.mktemp("serve") / "home")


@pytest.fixture(scope="module")
def home_with_user(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """A home with a user, and the token."""
    home = copied_home(finished_home, tmp_path_factory.mktemp("serve-user") / "home")
    services = services_of(home)
    try:
        return home, services.users.add("ada", "executive", rows=EVERY_ROW, by="tests")
    finally:
        services.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that vouches for itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made, key = certificate_and_key()
    (folder / "tls.crt").write_bytes(made)
    (folder / "tls.key").write_bytes(key)
    return folder / "tls.crt", folder / "tls.key"


def _environment(home: Home, settings: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOPHIA_")}
    return {**kept, "SOPHIA_HOME": str(home.path), **settings}


def _run(home: Home, *arguments: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`sophia serve` where it ends by itself."""
    command = [sys.executable, "-m", "sophia_assets.cli", "serve", *arguments]
    environment = _environment(home, settings or {})
    return subprocess.run(command, env=environment, cwd=home.path, capture_output=True, text=True, timeout=60)


@contextmanager
def _serving(
    home: Home, *arguments: str, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """`sophia serve` on a free port: the process, its address, and the lines it has printed when it is up."""
    port = free_port()
    command = [sys.executable, "-m", "sophia_assets.cli", "serve", "--port", str(port), *arguments]
    process = subprocess.Popen(
        command,
        env=_environment(home, settings or {}),
        cwd=home.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        first = process.stdout.readline()
        assert first.startswith("Sophia: "), process.stderr.read()
        lines = [first]
        if settings is None:
            lines.append(process.stdout.readline())
        address = re.search(r"https?://\S+", first)
        assert address
        _until_listening(port, process)
        yield process, address[0], lines
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def _until_listening(port: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
    raise AssertionError("it ended")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_a_link_that_logs_in_and_ends_in_order_when_told_to(home: Home, number: signal.Signals) -> None:
    with _serving(home) as (process, address, lines):
        link = re.search(r"http://127\.0\.0\.1:\d+/login\?token=\S+", lines[1])
        assert link, lines
        session = requests.Session()
        assert session.get(link[0], allow_redirects=False, timeout=30).status_code == 303
        assert session.get(f"{address}/api/briefings", timeout=30).status_code == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out.strip()) == (0, "Stopped.")
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_one_clear_line(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = _run(home, "--port", str(taken.getsockname()[1]))
    assert (ended.returncode, len(ended.stderr.splitlines())) == (3, 1)
    assert "is taken" in ended.stderr and "--port" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        ({"host": "0.0.0.0"}, {}, "SOPHIA_WEB_TLS_CERT"),
        ({"host": "192.0.2.1"}, {}, "SOPHIA_WEB_TLS_CERT"),
        ({"is_behind_proxy": True}, {}, "SOPHIA_WEB_TRUSTED_PROXIES"),
        ({"is_behind_proxy": True}, {"SOPHIA_WEB_TRUSTED_PROXIES": "127.0.0.1"}, "SOPHIA_WEB_ALLOWED_HOSTS"),
        (
            {"is_behind_proxy": True},
            {"SOPHIA_WEB_TRUSTED_PROXIES": "127.0.0.1", "SOPHIA_WEB_ALLOWED_HOSTS": "sophia.example.com"},
            "sophia users add",
        ),
        (
            {},
            {"SOPHIA_WEB_TLS_CERT": "/nowhere/tls.crt", "SOPHIA_WEB_TLS_KEY": "/nowhere/tls.key"},
            "cannot be used",
        ),
    ],
)
def test_what_would_not_be_safe_is_refused_with_what_to_do(
    home: Home, arguments: dict[str, Any], settings: dict[str, str], says: str
) -> None:
    services = services_of(home, settings)
    asked = {"host": None, "port": free_port(), "is_behind_proxy": False, **arguments}
    try:
        with pytest.raises(ConfigurationError, match=re.escape(says)):
            serve(services, **asked, tell=lambda line: pytest.fail(f"it listens: {line}"))
    finally:
        services.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "sophia.example.com", "127.0.0.1.example.com", ""])
def test_every_host_but_loopback_wants_tls(host: str) -> None:
    with pytest.raises(ConfigurationError):
        refuse_unsafe(read_web({"SOPHIA_WEB_HOST": host or " "}), is_behind_proxy=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_wants_none(host: str) -> None:
    refuse_unsafe(read_web({"SOPHIA_WEB_HOST": host}), is_behind_proxy=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "https://sophia.example.com"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "a b"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "proxy.example.com"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("PORT", "0"),
        ("THREADS", "many"),
        ("REQUEST_SECONDS", "inf"),
        ("DAGSTER_URL", "javascript:alert(1)"),
        ("NOTHING", "1"),
        ("TLS_CERT", "/nowhere/tls.crt"),
    ],
)
def test_a_setting_that_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SOPHIA_WEB_{name}"):
        read_web({f"SOPHIA_WEB_{name}": value})


def test_with_a_certificate_it_speaks_tls_and_nothing_old(
    home_with_user: tuple[Home, str], certificate: tuple[Path, Path]
) -> None:
    home, token = home_with_user
    cert, key = certificate
    settings = {"SOPHIA_WEB_TLS_CERT": str(cert), "SOPHIA_WEB_TLS_KEY": str(key)}
    with _serving(home, settings=settings) as (_, address, lines):
        assert len(lines) == 1 and address.startswith("https://")
        by_name = address.replace("127.0.0.1", "localhost")
        page = requests.get(f"{by_name}/login", verify=str(cert), timeout=30)
        assert page.headers["strict-transport-security"].startswith("max-age=")
        form = page.headers["set-cookie"]
        assert form.startswith("__Host-") and "Secure" in form
        headers = {"Authorization": f"Bearer {token}"}
        read = requests.get(f"{by_name}/api/briefings", headers=headers, verify=str(cert), timeout=30)
        assert read.status_code == 200
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        port = int(address.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            pytest.raises((ssl.SSLError, ConnectionResetError)),
        ):
            old.wrap_socket(plain)


def test_behind_a_proxy_only_the_proxy_is_believed(home_with_user: tuple[Home, str]) -> None:
    home, _ = home_with_user
    settings = {"SOPHIA_WEB_ALLOWED_HOSTS": "sophia.example.com", "SOPHIA_WEB_TRUSTED_PROXIES": "127.0.0.1"}
    forwarded = {"Host": "sophia.example.com", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    wrong = {**forwarded, "Authorization": f"Bearer sophia_{'x' * 40}"}
    with served(home, settings, assistant=Echoing(), is_behind_proxy=True) as site:
        answer = requests.get(f"{site.address}/login", headers=forwarded, timeout=30)
        assert "Secure" in answer.headers["set-cookie"] and "strict-transport-security" in answer.headers
        assert requests.get(f"{site.address}/api/metrics", headers=wrong, timeout=30).status_code == 401
        newest = site.services.audit.tail(1, action="token.refused")[0]
        assert newest.details["address"] == "203.0.113.7"
    elsewhere = {**settings, "SOPHIA_WEB_TRUSTED_PROXIES": "10.9.9.9"}
    with served(home, elsewhere, assistant=Echoing(), is_behind_proxy=True) as site:
        answer = requests.get(f"{site.address}/login", headers=forwarded, timeout=30)
        assert "Secure" not in answer.headers["set-cookie"]


def test_an_answer_under_way_is_finished_when_the_process_is_told_to_end(finished_home: Home, tmp_path: Path) -> None:
    from threading import Event

    from sophia_assets.assistant.interface import Answer, Question

    entered, let_go = Event(), Event()

    def slow(question: Question) -> Answer:
        entered.set()
        assert let_go.wait(30)
        return Answer("answered", "value", question.text)

    home = copied_home(finished_home, tmp_path / "home")
    with served(home, assistant=Echoing(slow)) as site, ThreadPoolExecutor(1) as asker:
        site.token()
        under_way = asker.submit(site.ask, "the last one")
        assert entered.wait(20)
        site.server.should_exit = True
        let_go.set()
        assert under_way.result(30).json()["response"] == "the last one"
