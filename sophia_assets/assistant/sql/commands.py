"""`sophia sql`: an analyst's own SELECT over the models, labelled as unverified. Imports what it needs when it runs."""

from __future__ import annotations

import json

import click

from sophia_assets.access.roles import role_named
from sophia_assets.control.operating import json_option, login_name, opened_services


@click.command("sql")
@click.argument("statement")
@click.option("--as", "role", metavar="ROLE", default="analyst", show_default=True, help="As whom.")
@json_option
def sql(statement: str, role: str, as_json: bool) -> None:
    """Run one SELECT, in Snowflake's dialect, over the models that a role may see: `SELECT stage, COUNT(*) FROM
    marts.deal_states GROUP BY 1`.

    Only while the flag enable_free_sql is on. What it gives is checked by nobody.
    """
    from sophia_assets.access.principal import Principal
    from sophia_assets.assistant.commands import table_lines
    from sophia_assets.desk import Desk

    principal = Principal(login_name(), role_named(role).name, "cli")
    with opened_services() as services:
        found = Desk(services).run_sql(principal, statement)
    rows = tuple(dict(zip(found.columns, row, strict=True)) for row in found.rows)
    if as_json:
        told = {"note": found.note, "tables": found.tables, "rows": rows, "is_cut": found.is_cut}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False, default=str))
        return
    click.echo(click.style(found.note, fg="yellow"), err=True)
    for line in table_lines(rows) if rows else ("No rows.",):
        click.echo(line)
    if found.is_cut:
        click.echo(f"Cut after {len(rows):,} rows.", err=True)
