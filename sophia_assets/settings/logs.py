"""The settings of logs: their form, from which level on, and which settings hold what no log may ever show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import reading

PREFIX = "SOPHIA_LOG_"
FORMAT, LEVEL = f"{PREFIX}FORMAT", f"{PREFIX}LEVEL"
CONSOLE, JSON = "console", "json"
FORMATS = (CONSOLE, JSON)
LEVELS = ("debug", "info", "warning", "error", "critical")
#: Beside what a command says itself, a terminal gets what is wrong; a collector of logs gets what happened, too.
_DEFAULT_LEVELS = {CONSOLE: "warning", JSON: "info"}
#: Shorter ones are words of any text; nobody could tell where they were meant.
SHORTEST_SECRET = 4
_SECRET_NAME = re.compile(r"(?:^|_)(?:TOKENS?|KEYS?|SECRETS?|PASSWORD|PASSPHRASE|CREDENTIALS?)(?:_|$)")
#: The names of files that hold a secret are none.
_NAMES_A_FILE = re.compile(r"_(?:FILE|PATH)$|_TLS_KEY$")


@dataclass(frozen=True)
class LogSettings:
    """The form of log lines (`console`, `json`) and the level from which on they are written, in small letters."""

    format: str
    level: str


def read_logs(environment: Mapping[str, str]) -> LogSettings:
    """The settings of logs. Raises ConfigurationError naming the setting and what is allowed."""
    for name in environment:
        if name.startswith(PREFIX) and name not in (FORMAT, LEVEL):
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=f"Use one of {FORMAT}, {LEVEL}")
    form = reading.choice(environment, FORMAT, FORMATS, CONSOLE)
    return LogSettings(form, reading.choice(environment, LEVEL, LEVELS, _DEFAULT_LEVELS[form]))


def is_secret(name: str) -> bool:
    """Whether a setting's whole value is a secret, by its name."""
    return bool(_SECRET_NAME.search(name)) and not _NAMES_A_FILE.search(name)


def secrets_of(environment: Mapping[str, str]) -> frozenset[str]:
    """Every value that no log may show: of secret settings, each of a list, and the passwords within addresses."""
    found: set[str] = set()
    for name, value in environment.items():
        if is_secret(name):
            found.update((value.strip(), *(part.strip() for part in value.split(","))))
        elif "://" in value:
            found.update(_within_address(value))
    return frozenset(value for value in found if len(value) >= SHORTEST_SECRET)


def _within_address(text: str) -> tuple[str, ...]:
    try:
        password = urlsplit(text.strip()).password or ""
    except ValueError:
        return ()
    return (password, unquote(password))
