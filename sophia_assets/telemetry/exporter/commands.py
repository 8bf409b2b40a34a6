"""The command `sophia exporter`."""

from __future__ import annotations

import click

from sophia_assets.settings import load_settings


@click.command()
@click.option("--host", help="Where it listens (default: 127.0.0.1, or SOPHIA_EXPORTER_HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 9464, or SOPHIA_EXPORTER_PORT.")
def exporter(host: str | None, port: int | None) -> None:
    """Serve the platform's figures to Prometheus, for the home that was last run. Ctrl-C stops it."""
    from sophia_assets.telemetry.exporter.serving import serve

    settings = load_settings()
    serve(settings, host or settings.exporter.host, port or settings.exporter.port, click.echo)
    click.echo("Stopped.")
