"""The area `home`: whether the folder can be written and has room, who works in it, and whether its key is right."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.doctor.patient import Patient
from sophia_assets.errors import EncryptionError
from sophia_assets.home import CompanyIdentity
from sophia_assets.settings import Settings

AREA = "home"
_about = Findings(AREA)
_MEGABYTE = 1024 * 1024
_LEAST_ROOM, _LITTLE_ROOM = 500 * _MEGABYTE, 2048 * _MEGABYTE
_LEAST_FILES = 1_000
# One of these is in any home that was ever used.
_SIGNS_OF_USE = ("company.json", "current.json", "warehouse.duckdb", "control.db", "dagster/history")
_MOUNTS = Path("/proc/mounts")
_NETWORK = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "fuse.sshfs",
    "glusterfs",
    "fuse.glusterfs",
    "afs",
    "ceph",
    "lustre",
)


def check_home(patient: Patient) -> Iterator[Finding]:
    """Everything about the folder."""
    path = patient.home.path
    held = _nearest(path)
    yield from _writing(path, held, patient.settings)
    yield from _room(held, _largest(patient))
    kind = file_system_of(held, _read(_MOUNTS))
    if kind in _NETWORK:
        yield _about.problem(
            "file system",
            f"{path} lies on a network file system ({kind}), on which locks do not hold",
            "Set SOPHIA_HOME to a folder on a local disk; several machines share Postgres and Snowflake instead",
        )
    yield from _company(patient)
    yield from _run(patient)
    yield from _key(patient)


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _writing(path: Path, held: Path, settings: Settings) -> Iterator[Finding]:
    """`held` is the folder, or the nearest one above it."""
    remedy = "Set SOPHIA_HOME to a folder that this user can write, or give it to the user"
    if held == path and not path.is_dir():
        yield _about.problem("folder", f"{path} is no folder", remedy)
        return
    folders = [held, *(path / name for name in ("briefings", "dagster", "staging", "facts"))]
    closed = [each for each in folders if each.is_dir() and not os.access(each, os.R_OK | os.W_OK | os.X_OK)]
    read_only = bool(os.statvfs(held).f_flag & os.ST_RDONLY)
    files = [path / "warehouse.duckdb", path / "control.db", path / "company.json"]
    closed += [each for each in files if each.exists() and not os.access(each, os.R_OK | os.W_OK)]
    if read_only or closed:
        why = "is mounted read-only" if read_only else "cannot be written by this user"
        yield _about.problem("folder", f"{closed[0] if closed and not read_only else held} {why}", remedy)
    elif held != path and settings.environment.get("SOPHIA_HOME"):
        see = "See whether SOPHIA_HOME is right, and whether its disk is mounted; if it is to be new, make the folder"
        yield _about.problem("folder", f"SOPHIA_HOME is {path}, and this folder does not exist", see)
    elif held != path:
        yield _about.warning("folder", f"{path} does not exist yet", "Run `sophia run`, which makes it")
    elif settings.warehouse == "duckdb" and not any((path / name).exists() for name in _SIGNS_OF_USE):
        see = "Run `sophia run`, which fills it; if something is to be here, see whether SOPHIA_HOME is right"
        yield _about.warning("folder", f"{path} holds nothing yet", see)
    else:
        yield _about.ok("folder", f"{path} can be written")


def _largest(patient: Patient) -> int:
    """Bytes of the warehouse, since reading needs about as much beside it."""
    try:
        return patient.home.warehouse_file.stat().st_size
    except OSError:
        return 0


def _room(folder: Path, warehouse: int) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    told = f"{free // _MEGABYTE:,} MB are free on the disk of {folder}"
    remedy = "Free some room, or move SOPHIA_HOME to a larger disk; `sophia retention show` says what could go"
    told += f", of which a load may need {2 * warehouse // _MEGABYTE:,}" if 2 * warehouse > _LEAST_ROOM else ""
    if free < max(_LEAST_ROOM, warehouse):
        yield _about.problem("disk", told, remedy)
    elif free < max(_LITTLE_ROOM, 2 * warehouse):
        yield _about.warning("disk", told, remedy)
    else:
        yield _about.ok("disk", told)
    about = os.statvfs(folder)
    if about.f_files and about.f_favail < _LEAST_FILES:
        yield _about.problem("disk", f"the disk of {folder} has room for {about.f_favail} more files only", remedy)


def file_system_of(folder: Path, mounts: str) -> str:
    """The kind of file system on which a folder lies, by what `/proc/mounts` says; empty where that is not known."""
    found, longest = "", -1
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        place = fields[1].replace("\\040", " ")
        if folder.resolve().is_relative_to(place) and len(place) >= longest:
            found, longest = fields[2], len(place)
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _company(patient: Patient) -> Iterator[Finding]:
    file = patient.home.company_file
    try:
        company = patient.home.company()
    except (TypeError, ValueError, AttributeError):
        told = f"{file} was written by another version of sophia-assets"
        yield _about.problem("company", told, "Use that version, or update this one")
        return
    if company is None and file.exists():
        yield _about.problem("company", f"{file} cannot be read as JSON", "Bring it back from a backup")
    elif company is None:
        yield _about.skipped("company", "nothing was run here yet", "Run `sophia run`")
    else:
        yield from _held(patient.settings, company)


def _held(settings: Settings, company: CompanyIdentity) -> Iterator[Finding]:
    """The company that is held, and whether the settings mean the same one."""
    told = f"it holds {company.name or 'a company'} ({company.key})"
    meant = meant_company(settings, company)
    if meant is None or company.is_same_company(meant):
        yield _about.ok("company", told)
        return
    words = f"{told}, and with the settings as they are `sophia run` would read another one ({meant.key})"
    see = "See SOPHIA_<SYSTEM>_MODE and SOPHIA_TIMEZONE; if they are right, `sophia run` opens a home of its own for it"
    yield _about.warning("company", words, see)


def meant_company(settings: Settings, held: CompanyIdentity) -> CompanyIdentity | None:
    """The company that the settings would have read; None where they do not say which.

    Which of several simulated ones is open was chosen when it was run, and is no matter of the settings.
    """
    if settings.uses_sandbox:
        settled = replace(held, live=settings.live_systems, timezone=settings.timezone)
        return settled if held.kind != "live" else replace(settled, kind="simulated", seed=settings.seed)
    return CompanyIdentity("live", name=settings.company_name) if settings.live_systems else None


def _run(patient: Patient) -> Iterator[Finding]:
    """Whether a run is at work: its lock is tried for a moment, and let go."""
    try:
        lock = patient.home.run_lock.open("r")
    except OSError:
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            by = lock.read().strip() or "unknown"
            told = f"a run (process {by}) is at work: what is told here may change meanwhile"
            yield _about.warning("run", told, "Wait until it ends, and run this again")


def _key(patient: Patient) -> Iterator[Finding]:
    from sophia_assets.encryption.state import opened_vault

    settings = patient.settings.encryption
    try:
        vault = opened_vault(settings, patient.home)
    except EncryptionError as error:
        yield _about.failed("encryption", error)
        return
    if not settings.is_on:
        yield _about.ok("encryption", "off")
    elif vault.reads_plain:
        told = "a change of the encryption was begun and has not ended"
        yield _about.warning("encryption", told, "Run the same `sophia encryption` command again: it goes on")
    else:
        yield _about.ok("encryption", "on, and the key is the right one")
