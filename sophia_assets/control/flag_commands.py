"""`sophia flags`: lists, sets, promotes and rolls back flags. What it needs is imported only when a command runs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from sophia_assets.control.operating import deed, json_option, opened_services

if TYPE_CHECKING:
    from sophia_assets.control.flag_operations import ActionName


@click.group()
def flags() -> None:
    """Switches and rollouts, each change with who and why."""


@flags.command("list")
@json_option
def list_flags(as_json: bool) -> None:
    """Every flag: its value, its default, since when, who set it and why."""
    with opened_services() as services:
        states = services.flags.states()
    rows = [
        {
            "flag": name,
            "value": state.flag.text(state.value),
            "default": state.flag.text(state.flag.default),
            "since": state.since.isoformat() if state.since else None,
            "by": state.by or None,
            "reason": state.reason or None,
            "description": state.flag.description,
        }
        for name, state in states.items()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    width = max(map(len, states))
    click.echo(click.style(f"{'flag':<{width}}  {'value':>6}  {'default':>7}  since (UTC)       who, why", bold=True))
    for name, state in states.items():
        flag = state.flag
        since = f"{state.since:%Y-%m-%d %H:%M}" if state.since else ""
        why = f"{state.by}: {state.reason}" if state.by else ""
        line = f"{name:<{width}}  {flag.shown(state.value):>6}  {flag.shown(flag.default):>7}  {since:<16}  {why}"
        click.echo(click.style(line.rstrip(), bold=state.value != flag.default))


@flags.command("set", context_settings={"ignore_unknown_options": True})  # for -1, which is refused as a value
@click.argument("name")
@click.argument("value")
@deed
def set_flag(name: str, value: str, reason: str, by: str, as_json: bool) -> None:
    """Give a flag a value: on or off, or a percentage for a rollout. It counts at once, everywhere."""
    _operate("set", name, value, by, reason, as_json)


@flags.command("promote")
@click.argument("name")
@deed
def promote(name: str, reason: str, by: str, as_json: bool) -> None:
    """Take a rollout one step further, 10, 50, 100 %: where checks pass, the circuit is closed, errors have not grown.

    NAME is a system or LLM provider.
    """
    _operate("promote", name, "", by, reason, as_json)


@flags.command("rollback")
@click.argument("name")
@deed
def rollback(name: str, reason: str, by: str, as_json: bool) -> None:
    """Take the last change back, at once. A rollout goes to the newest lower percentage that it has had, else to 0."""
    _operate("rollback", name, "", by, reason, as_json)


@flags.command("history")
@click.argument("name")
@json_option
def history(name: str, as_json: bool) -> None:
    """What has been changed of a flag, when, by whom and why; the newest first."""
    from sophia_assets.control.flag_operations import change_as_json

    with opened_services() as services:
        changes = services.flags.history(name)
    if as_json:
        click.echo(json.dumps([change_as_json(change) for change in changes], indent=1, ensure_ascii=False))
        return
    for change in changes:
        before, after = change.flag.shown(change.before), change.flag.shown(change.after)
        click.echo(f"{change.at:%Y-%m-%d %H:%M} UTC  {before:>5} -> {after:<5}  {change.by}: {change.reason}")
    if not changes:
        click.echo(f"{name} was never changed.")


def _operate(action: ActionName, name: str, value: str, by: str, reason: str, as_json: bool) -> None:
    from sophia_assets.control.flag_operations import notes_on, operate

    with opened_services() as services:
        done = operate(services, action, name, value, by, reason)
        notes = notes_on(services, name)
    if as_json:
        click.echo(json.dumps({**done.as_json(), "notes": notes}, indent=1, ensure_ascii=False))
    else:
        for line in (*done.lines(), *notes):
            click.echo(f"{line}.")
    if done.failure:
        click.echo(f"error: {done.failed_rebuild()}", err=True)
        sys.exit(done.failure.exit_code)
