"""`sophia briefing`: shows the briefings that have been written, and verifies them again from what is stored."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sophia_assets.access.roles import EXECUTIVE, role_named
from sophia_assets.control.operating import login_name, opened_services
from sophia_assets.delivery.commands import deliver_briefing
from sophia_assets.errors import ConfigurationError, SophiaError
from sophia_assets.home import current_home
from sophia_assets.insight.kinds import DAILY, KINDS, WEEKLY, BriefingKind
from sophia_assets.options import DAY
from sophia_assets.settings import load_settings

if TYPE_CHECKING:
    from sophia_assets.insight.archive import BriefingArchive
    from sophia_assets.insight.reverification import Registered, Verdict
    from sophia_assets.warehouse.interface import Warehouse


def _which(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say which briefing is meant."""
    for option in (
        click.option("--weekly", is_flag=True, help="The weekly business review that covers the day."),
        click.option("--as", "role", metavar="ROLE", help="Whose edition (default: the executive's)."),
        click.option("--date", "day", type=DAY, help="Which day (default: the newest)."),
    ):
        function = option(function)
    return function


@click.group()
def briefing() -> None:
    """Read, verify and deliver the briefings that have been written."""


briefing.add_command(deliver_briefing)


@briefing.command("show")
@_which
@click.option("--json", "as_json", is_flag=True, help="The briefing with its evidence.")
def show(day: date | None, role: str | None, weekly: bool, as_json: bool) -> None:
    """Print a briefing."""
    kind, whose = _kind(weekly), role_named(EXECUTIVE if role is None else role).name
    archive = _archive()
    found = archive.day_of(day, kind, whose)
    _record(found, kind, whose)
    if as_json:
        click.echo(json.dumps(archive.read(found, kind, whose), indent=1, ensure_ascii=False))
        return
    files = archive.files(found, kind, whose)
    markdown = files.content(files.markdown).decode("utf-8")
    # A terminal renders no Markdown, so the signs that keep names from being taken for it are in the way.
    click.echo(re.sub(r"\\([^A-Za-z0-9\s])", r"\1", markdown))


@briefing.command("export")
@_which
@click.option("--to", "file", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write.")
@click.option("--as-markdown", is_flag=True, help="Markdown instead of a page for the browser.")
def export(day: date | None, role: str | None, weekly: bool, file: Path, as_markdown: bool) -> None:
    """Write a briefing as a page to a file of your own, readable for whoever may read the file."""
    kind, whose = _kind(weekly), role_named(EXECUTIVE if role is None else role).name
    archive = _archive()
    found = archive.day_of(day, kind, whose)
    _record(found, kind, whose)
    files = archive.files(found, kind, whose)
    content = files.content(files.markdown if as_markdown else files.html)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(content)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written ({error.strerror})", remedy="Name another file") from None
    click.echo(f"Written to {file}")


@briefing.command("verify")
@_which
@click.option("--all", "everything", is_flag=True, help="Every briefing of every kind, day and role in the archive.")
@click.option("--json", "as_json", is_flag=True, help="The verdicts as JSON.")
@click.option("--against-warehouse", is_flag=True, help="Hold quotes against the records that they point to, too.")
def verify(
    day: date | None, role: str | None, weekly: bool, everything: bool, as_json: bool, against_warehouse: bool
) -> None:
    """Verify stored briefings again, from the evidence kept with each; exit code 1 where one does not stand."""
    from sophia_assets.insight.reverification import verify_stored

    whose = None if role is None else role_named(role).name
    if everything and day:
        raise ConfigurationError("--all and --date exclude each other", remedy="Give one of them")
    archive = _archive()
    if everything:
        chosen = list(_held(archive, [WEEKLY] if weekly else list(KINDS.values()), whose))
        if not chosen:
            archive.day_of(None, _kind(weekly), whose or EXECUTIVE)
    else:
        kind, whose = _kind(weekly), whose or EXECUTIVE
        chosen = [(archive.day_of(day, kind, whose), kind, whose)]
    registered = _registered()
    with _warehouse() if against_warehouse else nullcontext() as warehouse:
        verdicts = [
            verify_stored(archive, each, kind, edition, registered=registered, warehouse=warehouse)
            for each, kind, edition in chosen
        ]
    if as_json:
        click.echo(json.dumps([_as_json(verdict) for verdict in verdicts], indent=1, ensure_ascii=False))
    else:
        for line in _lines(verdicts):
            click.echo(line)
    if any(verdict.state == "refuted" for verdict in verdicts):
        sys.exit(1)


def _record(day: date, kind: BriefingKind, role: str) -> None:
    """Enters the reading in the audit trail. Raises AuditUnavailable, and then nothing may be shown."""
    from sophia_assets.access.principal import Principal
    from sophia_assets.desk import briefing_target

    with opened_services() as services:
        reader = Principal(login_name(), role, "cli")
        services.audit.record(reader, "briefing.read", briefing_target(kind, day, role), "allowed")


def _kind(weekly: bool) -> BriefingKind:
    return WEEKLY if weekly else DAILY


def _archive() -> BriefingArchive:
    from sophia_assets.encryption.vault import vault_for
    from sophia_assets.insight.archive import BriefingArchive

    settings = load_settings()
    home = current_home(settings)
    return BriefingArchive(home.briefings, vault_for(settings, home))


def _registered() -> Registered:
    """What the register of published briefings says, where there is one; one line tells of a store out of reach."""
    from sophia_assets.control.published import Register
    from sophia_assets.services import Services

    services = Services.from_environment()
    # Reading makes no store where there is none.
    is_there = bool(services.settings.control_url) or (services.home.path / "control.db").is_file()
    found = Register(services.control) if is_there else None
    out_of_reach = False

    def registered(kind: str, day: date, role: str) -> str | None:
        nonlocal out_of_reach
        if found is None or out_of_reach:
            return None
        try:
            return found.digest(kind, day, role)
        except SophiaError as error:
            out_of_reach = True
            click.echo(f"the register of published briefings cannot be read: {error}", err=True)
            return None

    return registered


@contextmanager
def _warehouse() -> Iterator[Warehouse]:
    """The warehouse that briefings are made from. Raises ConfigurationError where there is none yet."""
    from sophia_assets.services import Services

    services = Services.from_environment()
    if services.settings.warehouse != "snowflake" and not services.home.warehouse_file.is_file():
        raise ConfigurationError(
            f"there is no warehouse in {services.home.path}", remedy="Verify without --against-warehouse"
        )
    with services.warehouse.session():
        yield services.warehouse


def _held(
    archive: BriefingArchive, kinds: list[BriefingKind], role: str | None
) -> Iterator[tuple[date, BriefingKind, str]]:
    """Every briefing of the archive, or every one of a role; days whose executive edition is gone included."""
    for kind in kinds:
        for day in archive.folders(kind):
            for edition in archive.editions(day, kind):
                if role in (None, edition):
                    yield day, kind, edition


def _lines(verdicts: list[Verdict]) -> Iterator[str]:
    """A line a finding, a line for each briefing that has none, and how many there are of each."""
    for verdict in verdicts:
        what = f"{verdict.date} {verdict.kind} {verdict.role}"
        yield from (f"{what}: {finding}" for finding in verdict.findings)
        if verdict.state == "verified":
            yield f"{what}: {verdict.sentences} sentences verified against {verdict.facts} facts"
        if verdict.note:
            yield f"{what}: {verdict.note}"
    counts = {state: sum(verdict.state == state for verdict in verdicts) for state in ("verified", "refuted")}
    rest = len(verdicts) - sum(counts.values())
    yield (
        f"{counts['verified']} of {len(verdicts)} briefings verified, {counts['refuted']} do not stand"
        f"{f', {rest} cannot be verified' if rest else ''}"
    )


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "date": verdict.date.isoformat(),
        "kind": verdict.kind,
        "role": verdict.role,
        "state": verdict.state,
        "findings": list(verdict.findings),
        "note": verdict.note or None,
        "sentences": verdict.sentences,
        "facts": verdict.facts,
    }
