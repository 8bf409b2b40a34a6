"""`sophia mcp`: serves the tools on standard input and output, as assistants start their servers."""

from __future__ import annotations

import click

from sophia_assets.control.operating import opened_services


@click.command("mcp")
@click.option("--as", "role", metavar="ROLE", help="Answer as this role (else as the user of SOPHIA_TOKEN).")
def mcp(role: str | None) -> None:
    """Serve an executive's own assistant over the Model Context Protocol, on standard input and output.

    It asks, reads briefings and sees evidence under the same roles, record and limits as every reader. A client's
    configuration names the command `sophia` with the argument `mcp`, and the token as SOPHIA_TOKEN. Over HTTP the same
    tools are served by `sophia serve`, at /mcp.
    """
    with opened_services() as services:
        from sophia_assets.desk import Desk
        from sophia_assets.mcp_server.identity import identity

        identify = identity(services, role)
        from sophia_assets.mcp_server.tools import build_server

        build_server(Desk(services), identify).run("stdio")
