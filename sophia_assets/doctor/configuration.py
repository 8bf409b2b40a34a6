"""The area `settings`: whether each can be read, names that look mistyped, and secrets that others may read."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sophia_assets.doctor.findings import Finding, Findings, secrets_in
from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import PROJECT_ROOT, Settings, load_settings
from sophia_assets.settings.breakers import CIRCUITS
from sophia_assets.sources import registry

AREA = "settings"
_about = Findings(AREA)
_EXAMPLE = PROJECT_ROOT / ".env.example"
_NAME = re.compile(r"^#? ?([A-Z][A-Z0-9_]{3,})=", re.MULTILINE)
_OWN = "SOPHIA_"
# Read elsewhere than in the settings.
_ELSEWHERE = frozenset({"SOPHIA_TOKEN", "SOPHIA_KILL_AT"})
_MOST_WRONG = 30
_ALIKE = 0.84


class _Asked(dict[str, str]):
    """An environment that remembers which names it was asked for: those are the settings there are."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.names.add(key)
        return super().__getitem__(key)


def read_settings(environment: Mapping[str, str]) -> tuple[Settings | None, list[Finding]]:
    """The settings, None where they cannot be read; and every setting that is wrong, not only the first."""
    try:
        return load_settings(environment), []
    except ConfigurationError as error:
        found = [_wrong(error, environment)]
    left = dict(environment)
    for _ in range(_MOST_WRONG):
        name = found[-1].subject
        if name not in left:
            break
        del left[name]
        try:
            load_settings(left)
            break
        except ConfigurationError as error:
            found.append(_wrong(error, left))
    return None, found


def _wrong(error: ConfigurationError, environment: Mapping[str, str]) -> Finding:
    """About the setting that the message names: the one that is set, where it names several."""
    named = re.findall(r"[A-Z][A-Z0-9_]{3,}", error.message)
    subject = next((name for name in named if environment.get(name)), named[0] if named else "settings")
    return _about.failed(subject, error)


def check_settings(environment: Mapping[str, str], folder: Path) -> Iterator[Finding]:
    """Names and files; `folder` is the one in which `.env` is looked for."""
    yield from _mistyped(environment)
    yield from _file_of_secrets(folder / ".env")


def check_together(settings: Settings) -> Iterator[Finding]:
    """Settings of which each is allowed, and which do not fit together."""
    from sophia_assets.settings.profile import contradictions, mixture

    mixed = [mixture(settings.live_systems)] if settings.uses_sandbox and settings.live_systems else []
    for found in [*contradictions(settings), *mixed]:
        make = _about.problem if found.is_refused else _about.warning
        yield make("together", found.message, found.remedy)


def known_names(environment: Mapping[str, str]) -> frozenset[str]:
    """Every name that means something: those that are asked for, and those that the example lists."""
    asked = _Asked(environment)
    try:
        load_settings(asked)
    except ConfigurationError:
        asked.names.update(environment)
    names = asked.names | _ELSEWHERE
    for system in registry.SYSTEMS:
        names |= set(registry.settings_of(system).names)
    if _EXAMPLE.is_file():
        listed = _NAME.findall(_EXAMPLE.read_text(encoding="utf-8"))
        names |= set(listed)
        general = [name.removeprefix("SOPHIA_BREAKER_") for name in listed if name.startswith("SOPHIA_BREAKER_")]
        names |= {f"SOPHIA_{circuit.upper()}_BREAKER_{name}" for circuit in CIRCUITS for name in general}
    return frozenset(names)


def _mistyped(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = known_names(environment)
    prefixes = tuple({name.partition("_")[0] + "_" for name in known if "_" in name})
    unknown = [name for name in environment if name.startswith(prefixes) and name not in known]
    found = False
    for name in sorted(unknown):
        alike = get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if alike and not environment.get(alike[0]):
            found = True
            yield _about.warning(
                name,
                f"{name} is set, which is no setting, and {alike[0]} is not set",
                f"If {alike[0]} is meant, correct the name; else unset it",
            )
    if not found:
        count = sum(bool(environment.get(name)) for name in known)
        are_set = "1 setting is set" if count == 1 else f"{count} settings are set"
        yield _about.ok("names", f"{are_set}, and no name looks mistyped")


def _file_of_secrets(path: Path) -> Iterator[Finding]:
    from dotenv import dotenv_values

    try:
        mode = path.stat().st_mode
    except OSError:
        return
    held = secrets_in({name: value for name, value in dotenv_values(path).items() if value})
    others = mode & (stat.S_IRWXG | stat.S_IRWXO)
    if held and others:
        yield _about.warning(
            ".env",
            f"{path} holds secrets, and other users of this machine may read it ({stat.filemode(mode)})",
            f"Run `chmod 600 {path}`",
        )
    else:
        told = "and only its owner may read it" if held else "without secrets"
        yield _about.ok(".env", f"{path} is there, {told}")
