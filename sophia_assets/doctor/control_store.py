"""The area `control`: whether the control store can be used as it is, and whether the audit trail's head is whole."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sophia_assets.control.schema import REVISION, VERSION_TABLE
from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.errors import SophiaError
from sophia_assets.settings.access import CHECKPOINTS

if TYPE_CHECKING:
    from sophia_assets.access.audit_chain import Head
    from sophia_assets.access.audit_keys import AuditKey
    from sophia_assets.control.store import ControlStore
    from sophia_assets.doctor.patient import Patient

AREA = "control"
_about = Findings(AREA)
_STORE = "store"
_WAIT_SECONDS = 4
# Checking every page of a file takes about a second for so many bytes.
_LARGEST_CHECKED = 400 * 1024 * 1024
_NEAR_CLOCK = 5.0


@dataclass(frozen=True)
class StoreState:
    """How the store stands. `is_usable` says that it can be read without bringing it up to date first."""

    is_usable: bool
    findings: tuple[Finding, ...]


def check_control(patient: Patient) -> Iterator[Finding]:
    """Where checkpoints of the audit trail go; the store itself, then the head of the trail in it."""
    yield from _checkpoint_folder(patient)
    state = patient.store()
    yield from state.findings
    if state.is_usable:
        yield from _audit_head(patient)


def look_at_store(patient: Patient) -> StoreState:
    """Looks at the store without making or migrating it."""
    store = patient.services.control
    if store.is_sqlite:
        return _file(Path(store.place))
    if patient.is_offline:
        return StoreState(False, (_about.skipped(_STORE, f"{store.place} was not asked (--offline)"),))
    return _server(patient, str(patient.settings.control_url))


def _file(path: Path) -> StoreState:
    if not path.exists():
        return StoreState(False, (_about.skipped(_STORE, f"{path} is not there yet; the first use makes it"),))
    remedy = (
        f"Bring {path.name} back from a backup, or move it away: a new one is made by itself, without the circuits, "
        "flags, users and audit trail of the old one"
    )
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_WAIT_SECONDS)) as connection:
            if path.stat().st_size <= _LARGEST_CHECKED:
                found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
                if found != ["ok"]:
                    return _broken(f"{path} is damaged: {found[0]}", remedy)
            return _judged(_revision(connection), str(path))
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            told = f"{path} has been in use by another process for more than {_WAIT_SECONDS} s"
            return _broken(told, "Run this again; if it lasts, end the process that holds it")
        if isinstance(error, sqlite3.OperationalError):
            return _broken(f"{path} cannot be opened ({error})", "Check the file's and the folder's permissions")
        return _broken(f"{path} is not a control store: {error}", remedy)


def _revision(connection: sqlite3.Connection) -> str | None:
    with suppress(sqlite3.OperationalError):
        row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
        return str(row[0]) if row else None
    return None


def _server(patient: Patient, url: str) -> StoreState:
    """Asks a Postgres which migration it is at, and what time it has."""
    from sqlalchemy import create_engine, inspect, text

    from sophia_assets.doctor.patient import Skew

    place = patient.services.control.place
    try:
        engine = create_engine(_driver(url), connect_args={"connect_timeout": _WAIT_SECONDS})
    except Exception as error:
        return _broken(f"{place} cannot be asked ({type(error).__name__})", "Install sophia-assets[postgres]")
    try:
        with engine.connect() as connection:
            began = time.time()
            theirs: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            ended = time.time()
            here = (began + ended) / 2
            patient.skews.append(
                Skew("the control store", theirs.astimezone(UTC).timestamp() - here, ended - began + 0.1)
            )
            revision = None
            if inspect(connection).has_table(VERSION_TABLE):
                revision = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    except Exception as error:
        why = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        return _broken(f"{place} cannot be used: {why}", "See that the server runs, and check SOPHIA_CONTROL_URL")
    finally:
        engine.dispose()
    return _judged(revision, place)


def _driver(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{'postgresql+psycopg2' if scheme.startswith('postgres') else scheme}{separator}{rest}"


def _judged(revision: str | None, place: str) -> StoreState:
    if revision == REVISION:
        return StoreState(True, (_about.ok(_STORE, f"{place}, at migration {revision}"),))
    if revision is None:
        return StoreState(False, (_about.skipped(_STORE, f"{place} is empty; the first use fills it"),))
    if revision > REVISION:
        return _broken(
            f"{place} was written by a newer version of sophia-assets (migration {revision}; here it is {REVISION})",
            "Update sophia-assets here, or point SOPHIA_CONTROL_URL at another store",
        )
    told = f"{place} is of an older version (migration {revision} of {REVISION})"
    remedy = "Back it up; then the next command that opens it, such as `sophia flags list`, brings it up to date"
    return StoreState(False, (_about.warning(_STORE, told, remedy),))


def _broken(told: str, remedy: str) -> StoreState:
    return StoreState(False, (_about.problem(_STORE, told, remedy),))


def _audit_head(patient: Patient) -> Iterator[Finding]:
    """The head's seal, its key, and the entry that it names: a moment's work, however long the trail."""
    from sqlalchemy import select

    from sophia_assets.access.audit_chain import read_head
    from sophia_assets.control.schema import audit

    store: ControlStore = patient.services.control
    chain = store.chain
    remedy = "`sophia audit verify` says what is wrong; `sophia audit restart` puts the trail aside for a new one"
    if chain is None:
        return
    try:
        keys = chain.keys.read()
        with store.reading() as connection:
            head = read_head(connection)
            last = connection.execute(
                select(audit.c.seq, audit.c.mac).order_by(audit.c.seq.desc()).limit(1)
            ).one_or_none()
    except SophiaError as error:
        yield _about.failed("audit trail", error)
        return
    if head is None:
        told = "the audit trail's head is gone, while entries are here"
        yield _about.problem("audit trail", told, remedy) if last else _about.ok("audit trail", "nothing recorded yet")
        return
    key = keys.known.get(head.key_id) if keys else None
    if key is None:
        told = f"the audit trail was signed with the key {head.key_id}, which is not here: nothing can be shown"
        yield _about.problem(
            "audit trail", told, "Bring back audit.key from a backup, or set SOPHIA_AUDIT_KEY or SOPHIA_AUDIT_OLD_KEYS"
        )
    elif not head.is_sealed_by(key):
        yield _about.problem("audit trail", "the audit trail's head was changed from outside", remedy)
    elif (last.seq if last else head.start_seq - 1) != head.seq or (last is not None and last.mac != head.mac):
        yield _about.problem("audit trail", f"its last entry is not entry {head.seq}, which its head names", remedy)
    else:
        yield _about.ok("audit trail", f"{head.seq} entries; its head is sealed (`sophia audit verify` reads all)")
        yield _checkpoints(head, keys.known if keys else {}, chain.checkpoints.folder)


def _checkpoint_folder(patient: Patient) -> Iterator[Finding]:
    """The folder that a setting names; the one in the home is the home's."""
    folder = patient.settings.access.audit_checkpoints
    if folder is None:
        return
    remedy = (
        f"Make it, mount its disk, or correct {CHECKPOINTS}; else the next entry makes it anew, without what it held"
    )
    if not folder.is_dir():
        why = "is no folder" if folder.exists() else "does not exist"
        yield _about.problem("checkpoint folder", f"{CHECKPOINTS} is {folder}, which {why}", remedy)
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield _about.problem(
            "checkpoint folder", f"{folder} cannot be written by this user", f"Give it to them, or set {CHECKPOINTS}"
        )
    else:
        yield _about.ok("checkpoint folder", f"{folder} can be written")


def _checkpoints(head: Head, keys: Mapping[str, AuditKey], folder: Path) -> Finding:
    """Whether as many checkpoints are there as the head knows of, and the newest of these is the one it knows."""
    from sophia_assets.access.audit_testimony import read_testimony

    testimony = read_testimony(folder / head.chain, head.chain, keys)
    there, known = len(testimony.digests), head.checkpoints
    if there < known:
        told = f"{known} checkpoints of the audit trail were made, and {there} are in {folder}"
    elif known and testimony.digests[known - 1] != head.checkpoint_digest:
        told = f"checkpoint {known} in {folder} is not the one that the audit trail's head knows of"
    elif testimony.problems:
        told = testimony.problems[0]
    else:
        return _about.ok("checkpoints", f"{there} of the audit trail are in {folder}")
    remedy = f"See whether {CHECKPOINTS} is right, and bring back what is missing; then run `sophia audit verify`"
    return _about.problem("checkpoints", told, remedy)
