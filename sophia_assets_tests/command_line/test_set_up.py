"""The Makefile's set-up: once, again after it was cut short, and one line where it cannot be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sophia_assets.settings import PROJECT_ROOT

# A stand-in for Python: makes environments that are copies of itself, "installs" by writing down what was asked.
PYTHON = f"""#!/bin/bash
echo "$*" >> "$CALLS"
case "$1 $2 $3" in
    "-c "*) exec {sys.executable} -c '
import collections, os, sys
sys.version_info = collections.namedtuple("Version", "major minor")(*map(int, os.environ["VERSION"].split(".")))
exec(sys.argv[1])' "$2" ;;
    "-m venv "*)
        [ -z "$NO_VENV" ] || exit 1
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && touch "$3/has-pip" ;;
    "-m pip --version") [ -e "$(dirname "$0")/../has-pip" ] ;;
    "-m pip install"|"-m uv pip")
        for argument in "$@"; do [ "$argument" != "$FAIL_ON" ] || exit 1; done ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """A copy of the Makefile beside a tiny lock file and the stand-in."""

    folder: Path

    def make(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """`make` of the set-up's stamp; what the stand-in was asked is in `calls` afterwards."""
        (self.folder / "calls").write_text("")
        given = {"CALLS": str(self.folder / "calls"), "VERSION": "3.11", "FAIL_ON": "", "NO_VENV": ""}
        return subprocess.run(
            ["make", ".venv/.ready", f"PYTHON={self.folder / 'python'}"],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **given, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    def is_ready(self) -> bool:
        return (self.folder / ".venv" / ".ready").exists()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    shutil.copy(PROJECT_ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "requirements.lock").write_text("tiny==1.0\n")
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return Checkout(tmp_path)


def test_a_fresh_checkout_is_set_up_once(checkout: Checkout) -> None:
    made = checkout.make()
    assert made.returncode == 0, made.stderr
    assert "Installing 1 pinned packages" in made.stdout
    assert checkout.is_ready()
    assert any("-m uv pip install" in call and "deploy/requirements.lock" in call for call in checkout.calls)
    again = checkout.make()
    assert again.returncode == 0
    assert checkout.calls == [], "a second make does nothing"


def test_a_changed_lock_file_is_installed(checkout: Checkout) -> None:
    checkout.make()
    lock = checkout.folder / "deploy" / "requirements.lock"
    later = (checkout.folder / ".venv" / ".ready").stat().st_mtime + 10
    os.utime(lock, (later, later))
    assert checkout.make().returncode == 0
    assert any("requirements.lock" in call for call in checkout.calls)
    assert not any(call.startswith("-m venv") for call in checkout.calls), "the environment itself is kept"


@pytest.mark.parametrize("step", ["deploy/requirements.lock", "-e"])
def test_an_install_that_was_cut_short_is_done_again(checkout: Checkout, step: str) -> None:
    broken = checkout.make(FAIL_ON=step)
    assert broken.returncode != 0
    assert not checkout.is_ready()
    mended = checkout.make()
    assert mended.returncode == 0, mended.stderr
    assert checkout.is_ready()
    assert any("requirements.lock" in call for call in checkout.calls)


def test_an_install_that_fails_after_a_good_one_takes_the_stamp_away(checkout: Checkout) -> None:
    checkout.make()
    lock = checkout.folder / "deploy" / "requirements.lock"
    later = (checkout.folder / ".venv" / ".ready").stat().st_mtime + 10
    os.utime(lock, (later, later))
    assert checkout.make(FAIL_ON="deploy/requirements.lock").returncode != 0
    assert not checkout.is_ready()


def test_where_uv_cannot_be_had_pip_installs(checkout: Checkout) -> None:
    made = checkout.make(FAIL_ON="--compile-bytecode")
    assert made.returncode == 0, made.stderr
    assert any(call.startswith("-m pip install") and "requirements.lock" in call for call in checkout.calls)


def test_an_environment_without_pip_is_made_anew(checkout: Checkout) -> None:
    checkout.make()
    (checkout.folder / ".venv" / "has-pip").unlink()
    (checkout.folder / ".venv" / ".ready").unlink()
    (checkout.folder / ".venv" / "leftover").write_text("")
    made = checkout.make()
    assert made.returncode == 0, made.stderr
    assert checkout.is_ready()
    assert not (checkout.folder / ".venv" / "leftover").exists()


def test_where_no_environment_can_be_made_one_line_says_what_to_install(checkout: Checkout) -> None:
    made = checkout.make(NO_VENV="1")
    assert made.returncode != 0
    (line,) = [line for line in (made.stdout + made.stderr).splitlines() if line.startswith("error: ")]
    assert "cannot make a virtual environment. On Debian: apt-get install python3-venv" in line
    assert not checkout.is_ready()


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_a_python_that_does_not_fit_is_told_before_anything_is_made(checkout: Checkout, version: str) -> None:
    made = checkout.make(VERSION=version)
    assert made.returncode != 0
    (line,) = [line for line in made.stderr.splitlines() if line.startswith("error: ")]
    assert line == f"error: Python {version} is too old or too new. Run with PYTHON=python3.11, 3.12 or 3.13"
    assert not (checkout.folder / ".venv").exists()
