"""What a written command names, held against what there is: `sophia` commands and their options, targets, modules."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from sophia_assets.cli import main
from sophia_assets.settings import PROJECT_ROOT

_SOPHIA = re.compile(r"(?:^|[\s/'\"(])sophia(?=\s|$)")
_COMPOSE_VERBS = frozenset({"build", "up", "run", "exec", "stop", "start", "restart", "logs", "ps", "down"})
_ENDS = frozenset({"|", "||", "&&", ";", "&", ">", ">>", "<", "2>", "2>&1"})
# A word of prose that stands for what the reader chooses.
_CHOICE = re.compile(r"^(\.\.\.|…|[A-Z][A-Z_-]*|<.*>)$")
_TOP_LEVEL = tuple(sorted(path.name for path in PROJECT_ROOT.iterdir() if path.name not in ("var", ".venv", ".git")))


def words(command: str) -> list[str]:
    """The words of a shell command; of one that is broken off, as they stand."""
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        return list(lexer)
    except ValueError:
        return command.split()


def sophia_calls(command: str) -> Iterator[list[str]]:
    """The arguments of each call of `sophia` within a shell command, wrapped in other commands or not."""
    found = words(command)
    for place, word in enumerate(found):
        is_value = place > 0 and found[place - 1].startswith("-") and found[place - 1] != "--"
        is_of_helm = "helm" in found[:place]
        if (word == "sophia" or word.endswith("/bin/sophia")) and not is_value and not is_of_helm:
            arguments: list[str] = []
            for argument in found[place + 1 :]:
                if argument in _ENDS:
                    break
                arguments.append(argument)
            yield arguments


def unknown_in_call(arguments: list[str]) -> str:
    """What of a call of `sophia` does not exist: a command, or an option; empty where all of it does.

    A call may be broken off (`sophia flags`), and may stand for several (`sophia circuit open / close`).
    """
    command: click.Command = main
    path = ["sophia"]
    # The rest of a group's commands, as in `open / close`, or of values.
    for argument in arguments:
        if argument == "/":
            continue
        if argument.startswith("-") and len(argument) > 1 and not argument.lstrip("-").isdigit():
            name = argument.partition("=")[0]
            if name not in _options(command):
                return f"{' '.join(path)} has no option {name}"
        elif isinstance(command, click.Group) and not _CHOICE.match(argument):
            found = command.commands.get(argument)
            if found is None:
                return f"{' '.join(path)} has no command {argument}"
            command, path = found, [*path, argument]
    return ""


def wants_reason(arguments: list[str]) -> bool:
    """Whether a call changes something that the command asks the reason for; a command's bare name is a mention."""
    command: click.Command = main
    rest = list(arguments)
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    is_group = isinstance(command, click.Group)
    return bool(rest) and "--dry-run" not in rest and not is_group and "--reason" in _options(command)


def _options(command: click.Command) -> set[str]:
    context = click.Context(command, info_name="sophia", help_option_names=["-h", "--help"])
    return {name for each in command.get_params(context) for name in (*each.opts, *each.secondary_opts)}


def make_targets(command: str) -> list[str]:
    """The targets that a call of make names."""
    found = words(command)
    targets: list[str] = []
    for place, word in enumerate(found):
        if word == "make":
            for argument in found[place + 1 :]:
                if argument in _ENDS:
                    break
                if "=" not in argument and not argument.startswith("-"):
                    targets.append(argument)
    return targets


def known_targets() -> frozenset[str]:
    """The targets of the Makefile."""
    return frozenset(re.findall(r"(?m)^([a-z][a-z-]*):", (PROJECT_ROOT / "Makefile").read_text()))


def modules(command: str) -> list[str]:
    """The modules of this project that `python -m` runs."""
    return re.findall(r"-m (sophia_assets[\w.]*)", command)


def module_path(name: str) -> Path | None:
    """The file of a module; None where there is none."""
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    return Path(found.origin) if found and found.origin else None


def project_paths(command: str) -> list[str]:
    """The words that are paths in the project: those that begin with a name of its top level."""
    found = []
    for word in words(command):
        path = word.partition("=")[2] if word.startswith("--") and "=" in word else word
        path = path.removeprefix("./").partition("::")[0].rstrip("/,")
        if path.split("/")[0] in _TOP_LEVEL and ("/" in path or "." in path) and not set("*<>{}$") & set(path):
            found.append(path)
    return found


def compose_services(command: str) -> list[str]:
    """The services that a call of `docker compose` names."""
    found = words(command)
    if found[:2] != ["docker", "compose"]:
        return []
    verb = next((place for place, word in enumerate(found) if word in _COMPOSE_VERBS), len(found))
    named = []
    for word in found[verb + 1 :]:
        if word in _ENDS:
            break
        if not word.startswith("-"):
            named.append(word)
            if found[verb] in ("run", "exec"):
                break
    return named


def kubernetes_objects(command: str) -> list[tuple[str, str]]:
    """What a call of `kubectl` names as `kind/name`."""
    if words(command)[:1] != ["kubectl"]:
        return []
    return re.findall(r"\b(deployment|service|secret|configmap|job|ingress|statefulset)/([a-z][a-z0-9-]*)", command)
