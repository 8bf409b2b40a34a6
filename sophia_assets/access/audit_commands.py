"""`sophia audit`: reads, verifies, archives and renews the audit trail. What it needs is imported when it runs."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import click

from sophia_assets.control.operating import deed, json_option, opened_services
from sophia_assets.errors import AuditUnavailable, ConfigurationError
from sophia_assets.options import DAY

if TYPE_CHECKING:
    from sophia_assets.access.audit import AuditEntry
    from sophia_assets.access.audit_chain import Chain
    from sophia_assets.access.audit_verification import Verification
    from sophia_assets.services import Services


@click.group()
def audit() -> None:
    """The record of every access to data and of every operator's action, and whether anybody has changed it."""


@audit.command("tail")
@click.option("-n", "limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many entries.")
@click.option("--who", help="Only this user's or operator's.")
@click.option("--action", help="Only this action, such as ask, or a group, such as users.")
@json_option
def tail(limit: int, who: str | None, action: str | None, as_json: bool) -> None:
    """The newest entries, newest last. Reading them is recorded, too."""
    from sophia_assets.access.audit_masking import masked

    with opened_services() as services:
        entries = services.audit.tail(limit, who=who, action=action)[::-1]
        _record_reading(services, who, action)
    if as_json:
        rows = [{**vars(entry), "details": masked(entry.details)} for entry in entries]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for entry in entries:
        click.echo(_line(entry))
    if not entries:
        click.echo("No such entry." if who or action else "Nothing has been recorded yet.")


@audit.command("verify")
@json_option
def verify(as_json: bool) -> None:
    """Whether anything was changed, deleted, cut off, put in or put back: archives and checkpoints included.

    Exits with 1 where something was.
    """
    with opened_services() as services:
        told = _verified(services)
    if as_json:
        click.echo(json.dumps(_as_json(told), indent=1, ensure_ascii=False))
    else:
        for line in _lines(told):
            click.echo(line)
    if not told.is_whole:
        sys.exit(1)


@audit.command("archive")
@click.option("--before", type=DAY, required=True, help="The first day whose entries stay.")
@deed
def archive(before: date, reason: str, by: str, as_json: bool) -> None:
    """Move old entries to a file beside the checkpoints; the chain goes on, and verify covers the file."""
    from sophia_assets.access.audit_archives import archive

    who, why = _given(by, reason)
    with opened_services() as services:
        told = _verified(services)
        if not told.is_whole:
            raise ConfigurationError(
                f"the audit trail is not whole: {told.findings[0]}", remedy="`sophia audit verify` says more"
            )
        moment = datetime.combine(before, time(), services.settings.tzinfo)
        done = archive(services.control, _chain(services), moment, who, why)
    if as_json:
        result = {"entries": done.entries, "first": done.first, "last": done.last, "file": str(done.path)}
        click.echo(json.dumps(result, indent=1))
    else:
        click.echo(f"{done.entries:,} entries ({done.first} to {done.last}) are in {done.path} now.")


@audit.command("renew-key")
@deed
def renew_key(reason: str, by: str, as_json: bool) -> None:
    """Sign what is to come with a new key; the old one stays in the file, for what it has signed."""
    who, why = _given(by, reason)
    with opened_services() as services:
        services.control  # noqa: B018
        chain = _chain(services)
        _append(services, who, "audit.renew_key", {"reason": why})
        key_id = chain.keys.renew()
        _append(services, who, "audit.key_renewed", {"reason": why, "key": key_id})
    click.echo(json.dumps({"key": key_id}) if as_json else f"The audit trail is signed with the key {key_id} from now.")


@audit.command("restart")
@deed
def restart(reason: str, by: str, as_json: bool) -> None:
    """Put a trail aside that cannot be continued, and begin a new one, which says so in its first entry.

    For when its key is lost, or it was changed from outside. Nothing is deleted: what was there, and what bears witness
    to it, stays in files for whoever looks into it.
    """
    from sophia_assets.access.audit_archives import restart

    who, why = _given(by, reason)
    with opened_services() as services:
        told = _verified(services)
        old = restart(services.control, _chain(services), who, why, len(told.findings) + told.left_out)
        folder = _chain(services).checkpoints.folder
    if as_json:
        click.echo(json.dumps({"put_aside": [str(folder / name) for name in old]}, indent=1))
    else:
        for name in old:
            click.echo(f"What was there lies in {folder / name}.")
        click.echo("A new audit trail has begun; its first entry says so.")


def _verified(services: Services) -> Verification:
    from sophia_assets.access.audit_verification import verify

    return verify(services.control, _chain(services))


def _chain(services: Services) -> Chain:
    chain = services.control.chain
    if chain is None:
        raise AuditUnavailable("the audit trail has no key", remedy="Set SOPHIA_AUDIT_KEY")
    return chain


def _append(services: Services, who: str, action: str, details: dict[str, Any]) -> None:
    from sophia_assets.access.principal import Principal

    services.audit.record(Principal(who, "", "operator"), action, "audit", "allowed", details)


def _record_reading(services: Services, who: str | None, action: str | None) -> None:
    """A trail that cannot be continued can still be read here, by whoever could open its file all the same."""
    from sophia_assets.control.operating import login_name

    try:
        _append(services, login_name(), "audit.read", {"who": who, "action": action})
    except AuditUnavailable as error:
        click.echo(f"warning: this reading is not recorded: {error}", err=True)


def _given(by: str, reason: str) -> tuple[str, str]:
    from sophia_assets.control.actions import not_given
    from sophia_assets.control.circuits import one_line

    for what, value in (("who does this", one_line(by)), ("a reason", one_line(reason))):
        if not value:
            raise not_given(what)
    return one_line(by), one_line(reason)


def _line(entry: AuditEntry) -> str:
    from sophia_assets.access.audit_masking import masked

    who = f"{entry.actor} ({entry.role})" if entry.role else entry.actor
    details = masked(entry.details)
    told = "; ".join(f"{name}: {_short(value)}" for name, value in details.items() if value not in (None, "", {}))
    line = (
        f"{entry.seq:>6}  {entry.at[:19]}Z  {entry.outcome:<7}  {who}, {entry.channel}: {entry.action} {entry.target}"
    )
    # Somebody's words may hold what a terminal would obey.
    return "".join(char if char.isprintable() else " " for char in f"{line}{f'  [{told}]' if told else ''}")


def _short(value: object) -> str:
    told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return told if len(told) <= 120 else told[:119] + "…"


def _lines(told: Verification) -> list[str]:
    lines = [f"note: {note}." for note in told.notes]
    count = told.entries + told.archived
    if told.is_whole and not count:
        return [*lines, "Nothing has been recorded yet."]
    archived = f", {told.archived:,} of them archived" if told.archived else ""
    lead = f"{count:,} entries{archived} and {told.checkpoints:,} checkpoints verified in {told.seconds:.1f} s"
    if told.is_whole:
        return [*lines, f"{lead}: the audit trail is whole."]
    more = [f"and {told.left_out:,} more"] if told.left_out else []
    return [*lines, f"{lead}: the audit trail is not whole.", *(f"  {finding}" for finding in told.findings), *more]


def _as_json(told: Verification) -> dict[str, Any]:
    firsts = [finding.seq for finding in told.findings if finding.seq is not None]
    return {
        "whole": told.is_whole,
        "entries": told.entries,
        "archived": told.archived,
        "first": told.first,
        "last": told.last,
        "checkpoints": told.checkpoints,
        "seconds": round(told.seconds, 3),
        "first_bad": min(firsts) if firsts else None,
        "findings": [{"entry": finding.seq, "what": finding.what} for finding in told.findings],
        "left_out": told.left_out,
        "notes": told.notes,
    }
