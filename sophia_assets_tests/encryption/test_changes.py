"""Encrypting, renewing the key and decrypting: whole in the end, readable all the while, however often it is killed."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.daily_run import only_run
from sophia_assets.encryption.dagster_history import TAKEN_OUT
from sophia_assets.encryption.rotation import change, standing
from sophia_assets.encryption.state import FILE
from sophia_assets.errors import EncryptionError, SophiaError
from sophia_assets.services import Services
from sophia_assets_tests.encryption.canaries import leaks
from sophia_assets_tests.encryption.kept_home import CANARIES, contents, environment, fill, services_of

ONE, TWO = bytes(range(32)).hex(), bytes(range(50, 82)).hex()
FAULT_POINTS = (
    "change_begun:1",
    "warehouse_half_rewritten:1",
    "before_warehouse_replaced:1",
    "warehouse_replaced:1",
    "file_rewritten:1",
    "file_rewritten:4",
    "state_recorded:1",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "var"
    services = services_of(folder)
    fill(services)
    services.close()
    return folder


@pytest.fixture
def plain(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "var"))


@pytest.fixture(scope="module")
def expected(made: Path) -> dict[str, Any]:
    return read(services_of(made), made)


def read(services: Services, folder: Path) -> dict[str, Any]:
    """The contents, with paths that do not depend on where the home lies."""
    try:
        found = contents(services)
    finally:
        services.close()
    return found | {"briefings": {name.removeprefix(str(folder)): text for name, text in found["briefings"].items()}}


def changed(services: Services, kind: Any) -> Any:
    """Carries out a change."""
    try:
        return change(services.settings, services.home, kind, services.control, lambda line: None)
    finally:
        services.close()


def command(folder: Path, *arguments: str, key: str, old: str = "", **more: Any) -> subprocess.CompletedProcess[str]:
    """`sophia encryption ...` in a process of its own; `kill_at` names the place where it dies."""
    settings = {**os.environ, **environment(folder, key, old), "SOPHIA_KILL_AT": more.pop("kill_at", "")}
    words = [sys.executable, "-m", "sophia_assets.cli", "encryption", *arguments]
    return subprocess.run(words, env=settings, cwd=folder, capture_output=True, text=True, check=False, **more)


def test_a_home_is_encrypted_gets_another_key_and_is_decrypted(plain: Path, expected: dict[str, Any]) -> None:
    assert set(leaks(plain, CANARIES)) > {"control.db", "warehouse.duckdb", "dagster/history/runs/index.db"}
    done = changed(services_of(plain, ONE), "encrypt")
    assert done == {"warehouse": 1, "files": 10, "rows": 2, "events": 1}
    assert leaks(plain, CANARIES) == {}
    assert read(services_of(plain, ONE), plain) == expected
    found = standing(services_of(plain, TWO, ONE).settings, services_of(plain).home).as_json()
    assert (found["state"], found["warehouse"], found["files"]["older"]) == ("encrypted", "older", 10)

    assert changed(services_of(plain, TWO, ONE), "rotate") == {"warehouse": 1, "files": 10, "rows": 2}
    assert leaks(plain, CANARIES) == {}
    assert read(services_of(plain, TWO), plain) == expected
    found = standing(services_of(plain, TWO).settings, services_of(plain).home).as_json()
    assert (found["warehouse"], found["files"]["current"]) == ("current", 10)
    with pytest.raises(EncryptionError, match="not with the key that is set"):
        read(services_of(plain, ONE), plain)

    changed(services_of(plain, TWO), "decrypt")
    assert not (plain / FILE).exists()
    assert read(services_of(plain), plain) == expected


def test_what_is_done_already_is_not_done_again(plain: Path) -> None:
    changed(services_of(plain, ONE), "encrypt")
    for kind in ("encrypt", "rotate"):
        assert not changed(services_of(plain, ONE), kind).total()


def test_dagster_keeps_its_runs_and_counts_without_the_content(plain: Path) -> None:
    changed(services_of(plain, ONE), "encrypt")
    with closing(sqlite3.connect(plain / "dagster/history/runs/index.db")) as connection:
        texts = [text for (text,) in connection.execute("SELECT event FROM event_logs ORDER BY id")]
    preview, rows = json.loads(texts[0])["dagster_event"]["metadata_entries"]
    assert (preview["label"], preview["entry_data"]["text"]) == ("preview", TAKEN_OUT)
    assert rows["entry_data"]["value"] == 3
    assert texts[1:] == ["no JSON", None]


@pytest.mark.parametrize(
    ("kind", "points"),
    [("encrypt", FAULT_POINTS), ("rotate", FAULT_POINTS[1:6:2]), ("decrypt", FAULT_POINTS[2:7:2])],
)
def test_killed_anywhere_everything_can_be_read_and_it_goes_on(
    kind: str, points: tuple[str, ...], plain: Path, expected: dict[str, Any]
) -> None:
    if kind != "encrypt":
        changed(services_of(plain, ONE), "encrypt")
    key, old = (TWO, ONE) if kind == "rotate" else (ONE, "")
    for point in points:
        assert command(plain, kind, key=key, old=old, kill_at=point).returncode == -signal.SIGKILL, point
        after = "" if kind == "decrypt" and point.startswith("state_recorded") else key
        assert read(services_of(plain, after, old if after else ""), plain) == expected, point
    ended = command(plain, kind, "--json", key=key, old=old)
    assert ended.returncode == 0, ended.stderr
    assert read(services_of(plain, "" if kind == "decrypt" else key), plain) == expected
    assert bool(leaks(plain, CANARIES)) == (kind == "decrypt")
    assert not list(plain.glob(".*rewriting*"))


def test_no_room_is_told_before_anything_changes(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(plain)
    usage = shutil.disk_usage(plain)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(EncryptionError, match="has room for 1 MB"):
        changed(services_of(plain, ONE), "encrypt")
    assert digest(plain) == before


def test_a_disk_that_is_full_half_way_leaves_everything_as_it_was(plain: Path, expected: dict[str, Any]) -> None:
    before = digest(plain)
    limit: Callable[[], None] = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))  # noqa: E731
    ended = command(plain, "encrypt", key=ONE, preexec_fn=limit)
    assert ended.returncode == 10
    assert "it is as it was" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert digest(plain) == before
    assert read(services_of(plain), plain) == expected


def digest(folder: Path) -> dict[str, bytes]:
    """The home's files but for locks and the control store, which notes every opening."""
    wanted = (path for path in folder.rglob("*") if path.is_file() and ".lock" not in path.name)
    return {str(path): path.read_bytes() for path in wanted if not path.name.startswith(("control.db", "index.db"))}


def test_a_run_in_the_home_keeps_a_change_out(plain: Path) -> None:
    services = services_of(plain, ONE)
    with only_run(services.home), pytest.raises(SophiaError, match="another run"):
        changed(services, "encrypt")
    assert not (plain / FILE).exists()


def test_a_file_that_was_put_into_an_encrypted_home_is_refused_not_sealed(plain: Path) -> None:
    changed(services_of(plain, ONE), "encrypt")
    (plain / "briefings/2026-11-20/briefing.md").write_text("Everything is wonderful.")
    for kind in ("encrypt", "rotate"):
        with pytest.raises(EncryptionError, match=r"briefing.md is not sealed"):
            changed(services_of(plain, ONE), kind)


def test_changes_that_do_not_fit_the_home_say_what_does(plain: Path) -> None:
    with pytest.raises(EncryptionError, match="sophia encryption encrypt"):
        changed(services_of(plain, ONE), "rotate")
    assert command(plain, "encrypt", key=ONE, kill_at="file_rewritten:1").returncode == -signal.SIGKILL
    with pytest.raises(EncryptionError, match="Finish that with `sophia encryption encrypt`"):
        changed(services_of(plain, ONE), "rotate")
    changed(services_of(plain, ONE), "decrypt")
    refused = command(plain, "rotate", key="")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_the_status_names_keys_by_nothing_that_tells_them(plain: Path) -> None:
    changed(services_of(plain, ONE), "encrypt")
    told = command(plain, "status", "--json", key=ONE)
    [found] = json.loads(told.stdout)
    assert found["files"] == {"current": 10, "older": 0, "unknown": 0, "plain": 0}
    assert (found["warehouse"], found["dagster_holds_content"]) == ("current", False)
    locked = command(plain, "status", key="")
    assert "10 unknown" in locked.stdout
    for output in (told, locked):
        assert ONE not in output.stdout + output.stderr
