"""`sophia doctor`. What it needs is imported only when it runs."""

from __future__ import annotations

import json
import sys

import click

from sophia_assets.control.operating import json_option

EXIT_CODE = 12
"""What the command returns where there is a problem; warnings alone are no reason."""


@click.command()
@click.argument("names", nargs=-1, metavar="[SYSTEM]...")
@click.option("--offline", is_flag=True, help="Leave out everything that is asked over a network.")
@json_option
def doctor(names: tuple[str, ...], offline: bool, as_json: bool) -> None:
    """Check every system, credential and permission, and all that the platform needs; say what to do where it is wrong.

    SYSTEM is a system, a language model or an area, such as gong, openai or dagster; none for everything. Nothing is
    changed by looking.
    """
    from sophia_assets.doctor.findings import Findings
    from sophia_assets.doctor.looking import look
    from sophia_assets.doctor.telling import lines
    from sophia_assets.errors import ConfigurationError
    from sophia_assets.settings import merged_environment

    try:
        environment = merged_environment()
    except ConfigurationError as error:
        finding = Findings("settings").failed("Pulumi ESC", error)
        click.echo(
            json.dumps({"is_well": False, "findings": [finding.as_json()]}, indent=1)
            if as_json
            else f"{finding.told}\n-> {finding.remedy}"
        )
        sys.exit(EXIT_CODE)
    report = look(environment, names=[name.lower() for name in names], is_offline=offline)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=1, ensure_ascii=False))
    else:
        for line in lines(report):
            click.echo(line)
    if not report.is_well:
        sys.exit(EXIT_CODE)
