"""The container file and the health check: what is copied is there, what is installed is pinned."""

from __future__ import annotations

import re
import runpy
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from sophia_assets.settings import PROJECT_ROOT
from sophia_assets_tests.certificates import self_signed
from sophia_assets_tests.deploy.container_file import is_in_context, read_stages
from sophia_assets_tests.deploy.files import DEPLOY, project

CONTAINERFILE, IGNORE = DEPLOY / "Containerfile", PROJECT_ROOT / ".containerignore"


def test_the_container_file_copies_what_is_there_and_is_let_through() -> None:
    build, final = read_stages(CONTAINERFILE)
    for instruction in build.of("COPY"):
        for source in instruction.words[:-1]:
            assert (PROJECT_ROOT / source).exists(), source
            assert is_in_context(IGNORE, source.rstrip("/")), source
    (taken,) = final.of("COPY")
    assert taken.flags == {"from": build.name} and taken.words == ["/opt/sophia", "/opt/sophia"]
    for left_out in (".env", "var/warehouse.duckdb", ".git/config", "sophia_assets_tests/__init__.py"):
        assert not is_in_context(IGNORE, left_out), left_out
    assert not is_in_context(IGNORE, "sophia_assets/__pycache__/cli.pyc")
    assert is_in_context(IGNORE, "sophia_assets/web/static/page.css")


def test_the_image_begins_with_one_pinned_version_and_ends_without_tools_to_build() -> None:
    build, final = read_stages(CONTAINERFILE)
    assert build.base == final.base
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+\.\d+-slim-\w+", final.base)
    installs = " ".join(each.text for each in final.of("RUN"))
    assert not re.search(r"pip|apt|gcc|uv ", installs)
    (health,) = final.of("HEALTHCHECK")
    assert "/opt/sophia/deploy/healthy.py" in health.text
    assert final.of("CMD")[0].words == ["sophia", "serve"]


def test_the_image_has_no_entry_point_that_dagsters_whole_command_lines_would_be_given_to() -> None:
    assert [each for stage in read_stages(CONTAINERFILE) for each in stage.of("ENTRYPOINT")] == []


def test_the_lock_pins_whatever_the_image_installs() -> None:
    build, _ = read_stages(CONTAINERFILE)
    pinned = {
        re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
        for line in (DEPLOY / "requirements.lock").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    commands = " ".join(each.text for each in build.of("RUN"))
    extras = re.findall(r"--extra (\w+)", commands)
    assert extras == ["production", "encryption", "esc"] and "test" not in extras
    wanted = [
        *project()["dependencies"],
        *(name for extra in extras for name in project()["optional-dependencies"][extra]),
    ]
    names = {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~! ;]", text)[0]).lower() for text in wanted}
    assert sorted(names - pinned) == []
    assert commands.count("--constraint deploy/requirements.lock") == 1
    assert "--no-build " in commands and "--build-constraints deploy/requirements.lock" in commands
    tool = re.search(r"^UV := (\S+)$", (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert tool and f"uv=={tool[1]}" in commands


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/well" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def _served(context: ssl.SSLContext | None = None) -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_health_check_tells_well_from_ill_with_and_without_tls(tmp_path: Path) -> None:
    is_healthy = runpy.run_path(str(DEPLOY / "healthy.py"))["is_healthy"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path / "tls.pem"))
    for tls in (None, context):
        with _served(tls) as port:
            assert is_healthy(port, "/well") and not is_healthy(port, "/ill")
    assert not is_healthy(port, "/well")
