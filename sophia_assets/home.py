"""A home: the folder under which everything that one company's platform keeps lies.

Belongs here: which folder that is, and the paths in it. Does not belong here: the content of the files.

A home holds one company. When another one is asked for (another seed, a folder of exports), it gets
its own home under `companies/`, so that two companies' figures never meet; `current` names the home
that was last run, which is the one that readers and the Dagster UI show.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sophia_assets.settings import Settings, read_json

_DEFAULT_HISTORY_START = date(2025, 1, 1)


@dataclass(frozen=True)
class CompanyIdentity:
    """Which company a home holds: a simulated one (by seed), an export folder's, or the live systems'."""

    kind: str
    seed: int | None = None
    start: str | None = None
    data_dir: str | None = None
    name: str | None = None
    first_day: str | None = None
    last_day: str | None = None
    off: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    timezone: str | None = None

    @property
    def key(self) -> str:
        """A folder name that is unique to the company and says which it is."""
        beside = "".join(f"-with-live-{system}" for system in self.live)
        if self.timezone not in (None, "UTC"):
            beside += "-" + re.sub(r"[^a-z0-9]+", "-", str(self.timezone).lower())
        if self.kind == "simulated":
            return f"seed-{self.seed}{beside}"
        if self.kind == "exports":
            path = self.data_dir or ""
            slug = re.sub(r"[^a-z0-9]+", "-", Path(path).name.lower()).strip("-") or "exports"
            return f"{slug}-{hashlib.sha256(path.encode()).hexdigest()[:6]}{beside}"
        return self.kind

    def is_same_company(self, other: CompanyIdentity) -> bool:
        """Whether both may share a home: a live system beside simulated ones makes another company."""
        return self._sameness == other._sameness

    @property
    def _sameness(self) -> tuple[object, ...]:
        # A sandboxed company lives by the business time zone: in another one, the same moments are others.
        return self.kind, self.seed, self.data_dir, self.live, self.timezone or "UTC"


@dataclass(frozen=True)
class Home:
    """The paths of one home. Nothing is created until `prepare` is called."""

    path: Path

    @property
    def warehouse_file(self) -> Path:
        return self.path / "warehouse.duckdb"

    @property
    def briefings(self) -> Path:
        return self.path / "briefings"

    @property
    def dagster(self) -> Path:
        return self.path / "dagster"

    @property
    def sandbox_file(self) -> Path:
        """Where a running sandbox announces its addresses."""
        return self.path / "sandbox.json"

    @property
    def company_file(self) -> Path:
        return self.path / "company.json"

    @property
    def cache(self) -> Path:
        """What can be found again at any time, and takes seconds to find."""
        return self.path / "cache"

    @property
    def run_lock(self) -> Path:
        return self.path / "run.lock"

    def prepare(self) -> None:
        """Creates the folders. Raises ConfigurationError where they cannot be."""
        from sophia_assets.errors import ConfigurationError

        try:
            for folder in (self.path, self.briefings, self.dagster):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise ConfigurationError(
                f"{self.path} cannot be used as SOPHIA_HOME: {error.strerror}",
                remedy="Set SOPHIA_HOME to a folder that can be written",
            ) from None

    def company(self) -> CompanyIdentity | None:
        """Which company this home holds, or None while it is empty."""
        stored: dict[str, Any] | None = read_json(self.company_file)
        if stored is None:
            return None
        return CompanyIdentity(**{**stored, "off": tuple(stored.get("off", ())), "live": tuple(stored.get("live", ()))})

    def record_company(self, identity: CompanyIdentity) -> None:
        write_atomically(self.company_file, json.dumps(asdict(identity), indent=1))

    def sandbox_env(self) -> dict[str, str] | None:
        """The connection settings that a running sandbox announced, or None where none runs."""
        announced: Any = read_json(self.sandbox_file)
        if not announced or not is_running(int(announced.get("pid") or 0)):
            return None
        env: dict[str, str] = announced["env"]
        return env

    def history_start(self, settings: Settings) -> date:
        """The first day that partitions cover: the setting, else the company's first day."""
        return history_start_of(self.company(), settings)


def history_start_of(identity: CompanyIdentity | None, settings: Settings) -> date:
    """The first day that partitions cover where a home holds `identity`."""
    if settings.history_start:
        return settings.history_start
    return date.fromisoformat(identity.first_day) if identity and identity.first_day else _DEFAULT_HISTORY_START


def current_home(settings: Settings) -> Home:
    """The home that was last run under the base home; the base home itself before any run."""
    pointer: dict[str, Any] | None = read_json(settings.base_home / "current.json")
    nested = settings.base_home / str(pointer["home"]) if pointer else settings.base_home
    return Home(nested if nested.is_dir() else settings.base_home)


def home_for(settings: Settings, identity: CompanyIdentity) -> Home:
    """The home of a company: the base home while that is empty or holds it, else one of its own."""
    base = Home(settings.base_home)
    held = base.company()
    if held is None or held.is_same_company(identity):
        return base
    return Home(settings.base_home / "companies" / identity.key)


def make_current(settings: Settings, home: Home) -> None:
    """Makes `home` the one that readers show."""
    relative = os.path.relpath(home.path, settings.base_home)
    write_atomically(settings.base_home / "current.json", json.dumps({"home": relative}))


def write_atomically(path: Path, text: str) -> None:
    """Writes a file so that a reader, or a kill in between, sees the old content or the new."""
    write_bytes_atomically(path, text.encode("utf-8"))


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """See `write_atomically`. Raises OSError where the disk is full; the old content then stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def is_running(pid: int) -> bool:
    """Whether a process of this machine lives."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
