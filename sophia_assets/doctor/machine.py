"""The area `machine`: Python, the versions of what is installed, memory and open files."""

from __future__ import annotations

import re
import resource
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.settings import PROJECT_ROOT

AREA = "machine"
_about = Findings(AREA)
_PACKAGE = "sophia-assets"
_NAMED = 5
_MEGABYTE = 1024 * 1024
_LEAST_MEMORY, _LITTLE_MEMORY = 300 * _MEGABYTE, 1024 * _MEGABYTE
_LEAST_FILES, _FEW_FILES = 256, 1024
_MEMORY = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")


def check_machine() -> Iterator[Finding]:
    """Everything about this machine and this Python."""
    yield from check_versions(*_declared())
    yield from check_memory(_available())
    yield from check_open_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _declared() -> tuple[str, list[str]]:
    """Which Python is wanted, and which packages: by the project's file, or by what was installed."""
    file = PROJECT_ROOT / "pyproject.toml"
    if file.is_file():
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        return str(project["requires-python"]), list(project["dependencies"])
    wanted = [each for each in metadata.requires(_PACKAGE) or () if "extra ==" not in each]
    return str(metadata.metadata(_PACKAGE)["Requires-Python"] or ""), wanted


def check_versions(python: str, wanted: list[str]) -> Iterator[Finding]:
    """What is installed against what is declared: `python` and `wanted` are requirements as pip reads them."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    running = ".".join(map(str, sys.version_info[:3]))
    if SpecifierSet(python).contains(running):
        yield _about.ok("python", f"Python {running}")
    else:
        yield _about.problem("python", f"this is Python {running}; {python} is needed", "Set up .venv with that Python")
    missing, other = [], []
    for each in map(Requirement, wanted):
        if each.marker and not each.marker.evaluate():
            continue
        try:
            version = metadata.version(each.name)
        except metadata.PackageNotFoundError:
            missing.append(each.name)
            continue
        if not each.specifier.contains(version, prereleases=True):
            other.append(f"{each.name} {version} instead of {each.specifier}")
    if not missing and not other:
        yield _about.ok("packages", f"{len(wanted)} packages are installed in the versions that are declared")
        return
    parts = [f"{_some(missing)} not installed"] if missing else []
    parts += [_some(other)] if other else []
    remedy = "Install what deploy/requirements.lock pins: `make clean && make briefing`, or `pip install -r`"
    yield _about.problem("packages", "; ".join(parts), remedy)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more


def _available() -> int | None:
    """Bytes of memory that this process can still have; None where nobody says."""
    found = []
    try:
        told = re.search(r"^MemAvailable:\s+(\d+) kB", _MEMORY.read_text(), re.MULTILINE)
        found += [int(told[1]) * 1024] if told else []
        limit = (_CONTAINER / "memory.max").read_text().strip()
        if limit.isdecimal():
            found.append(int(limit) - int((_CONTAINER / "memory.current").read_text()))
    except (OSError, ValueError):
        pass
    return min(found, default=None)


def check_memory(available: int | None) -> Iterator[Finding]:
    """`available` is in bytes."""
    if available is None:
        yield _about.skipped("memory", "how much memory is free is not told here")
        return
    told = f"{available // _MEGABYTE:,} MB of memory are free"
    remedy = "End other programs, or give the machine or container more; a run takes about 1 GB"
    if available < _LEAST_MEMORY:
        yield _about.problem("memory", told, remedy)
    elif available < _LITTLE_MEMORY:
        yield _about.warning("memory", told, remedy)
    else:
        yield _about.ok("memory", told)


def check_open_files(limit: int) -> Iterator[Finding]:
    """`limit` is how many files a process may have open."""
    told = f"a process may have {limit:,} files open"
    remedy = "Raise the limit: `ulimit -n 4096`, or LimitNOFILE in the service's unit"
    if limit < 0 or limit >= _FEW_FILES:
        yield _about.ok("open files", told if limit >= 0 else "a process may have any number of files open")
    elif limit < _LEAST_FILES:
        yield _about.problem("open files", told, remedy)
    else:
        yield _about.warning("open files", told, remedy)
