"""`sophia encryption`: how the homes stand, and encrypting, renewing the key, decrypting.

What the commands need is imported only when one runs.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from sophia_assets.control.operating import deed, json_option

if TYPE_CHECKING:
    from sophia_assets.encryption.rotation import Change, Standing
    from sophia_assets.home import Home
    from sophia_assets.settings import Settings


@click.group()
def encryption() -> None:
    """Encryption of everything that is kept on disk.

    End all other processes of Sophia before a change: they go on with the keys that they began with.
    """


@encryption.command("status")
@json_option
def status(as_json: bool) -> None:
    """How each home stands, and with which key its files are sealed."""
    from sophia_assets.encryption.rotation import homes, standing
    from sophia_assets.settings import load_settings

    settings = load_settings()
    found = [standing(settings, home) for home in homes(settings)]
    if as_json:
        click.echo(json.dumps([each.as_json() for each in found], indent=1))
        return
    if not found:
        click.echo(f"{settings.base_home} holds nothing yet; encryption is {_on(settings)}")
    for each in found:
        click.echo(_line(each))


@encryption.command("encrypt")
@deed
def encrypt(reason: str, by: str, as_json: bool) -> None:
    """Encrypt everything with SOPHIA_ENCRYPTION_KEY; killed, it goes on where it was when it is run again."""
    _change("encrypt", reason, by, as_json)


@encryption.command("rotate")
@deed
def rotate(reason: str, by: str, as_json: bool) -> None:
    """Seal everything with SOPHIA_ENCRYPTION_KEY that SOPHIA_ENCRYPTION_OLD_KEYS opens.

    Keep the old keys for as long as the audit trail of their time is to be read: what is chained is not rewritten.
    """
    _change("rotate", reason, by, as_json)


@encryption.command("decrypt")
@deed
def decrypt(reason: str, by: str, as_json: bool) -> None:
    """Write everything in plain form again; unset the key afterwards."""
    _change("decrypt", reason, by, as_json)


def _change(kind: Change, reason: str, by: str, as_json: bool) -> None:
    from sophia_assets.encryption.rotation import each
    from sophia_assets.settings import load_settings

    settings = load_settings()
    results = []
    for home in each(settings, kind):
        done = _changed(settings, home, kind, reason, by)
        results.append(
            {"home": str(home.path), **{name: done[name] for name in ("warehouse", "files", "rows", "events")}}
        )
    if as_json:
        click.echo(json.dumps(results, indent=1))
    elif not results:
        click.echo("There is nothing to do")
    else:
        click.echo({"encrypt": "Encrypted", "rotate": "Sealed with the new key", "decrypt": "Decrypted"}[kind])
    if kind == "decrypt" and not as_json:
        click.echo("Unset SOPHIA_ENCRYPTION_KEY now; for what the audit trail has sealed, keep it among the old keys")


def _changed(settings: Settings, home: Home, kind: Change, reason: str, by: str) -> Counter[str]:
    from sophia_assets.control.actions import record
    from sophia_assets.encryption.rotation import change
    from sophia_assets.services import Services

    services = Services(settings, home)
    try:
        is_there = bool(settings.control_url) or (home.path / "control.db").is_file()
        store = services.control if is_there else None
        done = change(settings, home, kind, store, lambda line: click.echo(line, err=True))
        if store is not None:
            with store.transaction() as connection:
                record(connection, by, f"encryption.{kind}", home.path.name, reason, dict(done))
        return done
    finally:
        services.close()


def _on(settings: Settings) -> str:
    return "on" if settings.encryption.is_on else "off"


def _line(found: Standing) -> str:
    files = ", ".join(f"{count:,} {name}" for name, count in sorted(found.files.items())) or "none"
    line = f"{found.home}: {found.state}; warehouse: {found.warehouse}; files: {files}"
    if found.state != "plain" and found.dagster_holds_content:
        line += "; Dagster's history holds content in plain form: run `sophia encryption encrypt`"
    return line
