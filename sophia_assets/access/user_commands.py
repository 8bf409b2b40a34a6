"""`sophia users`: who may read and ask. What it needs is imported only when a command runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import click

from sophia_assets.control.operating import deed, deed_of_any_reason, json_option, opened_services
from sophia_assets.errors import ConfigurationError, SophiaError
from sophia_assets.options import DAY

if TYPE_CHECKING:
    from sophia_assets.access.principal import RowScope
    from sophia_assets.access.users import User
    from sophia_assets.services import Services

_only = click.option(
    "--only",
    "limits",
    multiple=True,
    metavar="WHAT=VALUE",
    help="Limit to accounts by owner, account, industry or country, by id or name; repeatable.",
)


@click.group()
def users() -> None:
    """Who may read briefings and ask questions, each change with who and why."""


@users.command("add")
@click.argument("name")
@click.option("--role", required=True, help="executive, sales_leader, engineering_leader, analyst or auditor.")
@_only
@click.option("--expires", type=DAY, help="The last day on which the token counts.")
@deed_of_any_reason
def add(
    name: str, role: str, limits: tuple[str, ...], expires: date | None, reason: str, by: str, as_json: bool
) -> None:
    """Add a user, and print the token that proves them, this once."""
    with opened_services() as services:
        rows = _rows(services, limits)
        expires_at = _end_of(expires, services) if expires else None
        token = services.users.add(name, role, rows=rows, by=by, reason=reason, expires_at=expires_at)
        user = services.users.named(name)
        _show_token(user, token, as_json)


@users.command("list")
@json_option
def list_users(as_json: bool) -> None:
    """Every user: role, limits, until when, and whether the token counts."""
    with opened_services() as services:
        found = [(user, _state(user)) for user in services.users.all()]
    if as_json:
        click.echo(json.dumps([_as_json(user) for user, _ in found], indent=1, ensure_ascii=False))
        return
    if not found:
        click.echo("There are no users yet; `sophia users add NAME --role ROLE` adds one.")
        return
    width = max(len("name"), *(len(user.name) for user, _ in found))
    click.echo(click.style(f"{'name':<{width}}  {'role':<18}  {'since':<10}  {'state':<22}  only", bold=True))
    for user, state in found:
        line = f"{user.name:<{width}}  {user.role:<18}  {user.created_at:%Y-%m-%d}  {state:<22}  {_limits(user.rows)}"
        click.echo(line.rstrip())


@users.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """One user: what the role may see, and which accounts it is limited to, by name."""
    from sophia_assets.access.roles import role_named

    with opened_services() as services:
        user = services.users.named(name)
        names = _names(services, user.rows)
    role = role_named(user.role)
    if as_json:
        told = _as_json(user) | {"areas": sorted(role.areas), "clearance": role.clearance, "only_names": names}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    click.echo(f"{user.name}: {user.role}, {_state(user)}")
    click.echo(f"{role.description} Areas: {', '.join(sorted(role.areas))}; cleared for what is {role.clearance}.")
    for attribute, values in names.items():
        click.echo(f"Only {attribute}: {', '.join(_named(id_, name) for id_, name in values.items())}")
    if not names:
        click.echo("Not limited to certain accounts.")


@users.command("renew")
@click.argument("name")
@deed
def renew(name: str, reason: str, by: str, as_json: bool) -> None:
    """Give a user a new token, and print it, this once; the old one ends at once, with whoever is logged in by it."""
    with opened_services() as services:
        token = services.users.renew(name, by=by, reason=reason)
        _show_token(services.users.named(name), token, as_json)


@users.command("change")
@click.argument("name")
@click.option("--role", help="The new role.")
@_only
@click.option("--everything", is_flag=True, help="Limit to no accounts any more.")
@deed
def change(
    name: str, role: str | None, limits: tuple[str, ...], everything: bool, reason: str, by: str, as_json: bool
) -> None:
    """Give a user another role, or other limits in place of all that there were; the token stays."""
    if limits and everything:
        raise ConfigurationError("--only and --everything contradict each other", remedy="Give one of them")
    with opened_services() as services:
        rows = _rows(services, limits) if limits or everything else None
        services.users.change(name, role=role, rows=rows, by=by, reason=reason)
        _show(services.users.named(name), as_json)


@users.command("logout")
@click.argument("name")
@deed
def logout(name: str, reason: str, by: str, as_json: bool) -> None:
    """Log a user out wherever they are logged in, of a lost telephone, say; the token stays, `renew` gives another."""
    with opened_services() as services:
        services.users.log_out(name, by=by, reason=reason)
    click.echo(json.dumps({"logged_out": name}) if as_json else f"{name} is logged out everywhere.")


@users.command("disable")
@click.argument("name")
@deed
def disable(name: str, reason: str, by: str, as_json: bool) -> None:
    """Let a user in no more; whoever is logged in is out within seconds."""
    with opened_services() as services:
        services.users.disable(name, by=by, reason=reason)
        _show(services.users.named(name), as_json)


@users.command("enable")
@click.argument("name")
@deed
def enable(name: str, reason: str, by: str, as_json: bool) -> None:
    """Let a disabled user in again, with the same token."""
    with opened_services() as services:
        services.users.enable(name, by=by, reason=reason)
        _show(services.users.named(name), as_json)


@users.command("remove")
@click.argument("name")
@deed
def remove(name: str, reason: str, by: str, as_json: bool) -> None:
    """Delete a user; the audit trail keeps what they did."""
    with opened_services() as services:
        services.users.remove(name, by=by, reason=reason)
    click.echo(json.dumps({"removed": name}) if as_json else f"{name} is removed; the token no longer counts.")


def _rows(services: Services, limits: tuple[str, ...]) -> RowScope:
    from sophia_assets.access.principal import EVERY_ROW
    from sophia_assets.access.row_limits import resolved_rows
    from sophia_assets.control.flag_operations import has_warehouse

    if not limits:
        return EVERY_ROW
    if not has_warehouse(services):
        raise ConfigurationError(
            "there are no accounts yet, so that rows cannot be limited", remedy="Run `sophia run` first"
        )
    return resolved_rows(limits, services.warehouse)


def _names(services: Services, rows: RowScope) -> Mapping[str, Mapping[str, str]]:
    """The names behind the limits; the ids themselves where the accounts cannot be read."""
    from sophia_assets.access.row_limits import names_of
    from sophia_assets.control.flag_operations import has_warehouse

    try:
        if not rows.is_everything and has_warehouse(services):
            return names_of(rows, services.warehouse)
    except SophiaError:
        pass
    return {attribute: {value: value for value in values} for attribute, values in rows.canonical()}


def _end_of(day: date, services: Services) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), services.settings.tzinfo).astimezone(UTC)


def _state(user: User) -> str:
    if user.is_disabled:
        return "disabled"
    if user.expires_at is None:
        return "active"
    expired = user.expires_at <= datetime.now(UTC)
    return f"{'expired' if expired else 'active until'} {user.expires_at - timedelta(seconds=1):%Y-%m-%d}"


def _limits(rows: RowScope) -> str:
    told = "; ".join(f"{attribute}={', '.join(values)}" for attribute, values in rows.canonical())
    return told if len(told) <= 60 else told[:59] + "…"


def _named(id_: str, name: str) -> str:
    return name if id_ == name else f"{name} ({id_})"


def _as_json(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "role": user.role,
        "only": dict(user.rows.canonical()),
        "created_at": user.created_at.isoformat(),
        "expires_at": user.expires_at.isoformat() if user.expires_at else None,
        "disabled": user.is_disabled,
        "state": _state(user),
    }


def _show(user: User, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(user), indent=1, ensure_ascii=False))
    else:
        limits = f", only {_limits(user.rows)}" if not user.rows.is_everything else ""
        click.echo(f"{user.name}: {user.role}, {_state(user)}{limits}.")


def _show_token(user: User, token: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(_as_json(user) | {"token": token}, indent=1, ensure_ascii=False))
        return
    _show(user, as_json=False)
    click.echo(f"The token, which is shown this once: {token}")
    click.echo("In the browser it is entered to log in; programs send it as: Authorization: Bearer <token>")
