"""What the files of `deploy/` name, and what there is to be named."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import Any

import click
import yaml

from sophia_assets.settings import PROJECT_ROOT

DEPLOY = PROJECT_ROOT / "deploy"
#: Names in the environment that are no setting of the platform, and whose they are.
FOREIGN = {
    "PATH", "HOME", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY",
    "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_PG_PASSWORD",
}  # fmt: skip


@cache
def settings() -> frozenset[str]:
    """Every setting that `.env.example` lists."""
    text = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))


@cache
def project() -> dict[str, Any]:
    """What `pyproject.toml` says of the project."""
    return dict(tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"])


def document(name: str) -> dict[str, Any]:
    """A YAML file of `deploy/`."""
    content: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    return content


@cache
def objects() -> dict[str, dict[str, Any]]:
    """Every Kubernetes object, by kind and name."""
    found = {}
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for content in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            name = f"{content['kind']}/{content['metadata']['name']}"
            assert name not in found, f"{name} is there twice"
            found[name] = content
    return found


def containers() -> dict[str, dict[str, Any]]:
    """The container of each deployment of ours, by the deployment's name."""
    return {
        content["metadata"]["name"]: container
        for content in objects().values()
        if content["kind"] == "Deployment"
        for container in content["spec"]["template"]["spec"]["containers"]
    }


def accept(words: list[str]) -> click.Context:
    """Parses a command line as its program would, without running it. Raises click's errors for what is wrong."""
    from dagster._cli import create_dagster_cli
    from dagster._daemon.cli import create_dagster_daemon_cli
    from dagster_webserver.cli import create_dagster_webserver_cli

    from sophia_assets.cli import main

    programs: dict[str, Any] = {
        "sophia": lambda: main,
        "dagster": create_dagster_cli,
        "dagster-daemon": create_dagster_daemon_cli,
        "dagster-webserver": create_dagster_webserver_cli,
    }
    command: click.Command = programs[words[0]]()
    arguments, context = list(words[1:]), None
    while isinstance(command, click.Group) and not (words[0] == "dagster-webserver" or not arguments):
        context = click.Context(command, parent=context, info_name=command.name)
        _, found, arguments = command.resolve_command(context, arguments)
        assert found is not None
        command = found
    return command.make_context(command.name or words[0], arguments, parent=context)
