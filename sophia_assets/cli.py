"""The command line, `sophia`: every command is thin over the layer it shows.

Every failure is one line on standard error and an exit code that says so; Dagster and the other heavy
libraries are imported only by the commands that need them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import click

from sophia_assets import __version__
from sophia_assets.access.audit_commands import audit
from sophia_assets.access.user_commands import users
from sophia_assets.assistant.commands import ask
from sophia_assets.assistant.sql.commands import sql
from sophia_assets.control.circuit_commands import circuit
from sophia_assets.control.flag_commands import flags
from sophia_assets.doctor.commands import doctor
from sophia_assets.drill.commands import drill
from sophia_assets.encryption.commands import encryption
from sophia_assets.errors import ConfigurationError, SophiaError
from sophia_assets.home import current_home
from sophia_assets.insight.briefing_commands import briefing
from sophia_assets.interrupts import Terminated
from sophia_assets.llm.usage_commands import usage
from sophia_assets.mcp_server.commands import mcp
from sophia_assets.metrics.commands import metrics
from sophia_assets.observability.slo_commands import slo
from sophia_assets.options import DAY
from sophia_assets.plain_text import NEWLINE, visible
from sophia_assets.retention.commands import retention
from sophia_assets.sandbox.commands import sandbox
from sophia_assets.settings import PROJECT_ROOT, load_settings, local_environment
from sophia_assets.telemetry.exporter.commands import exporter


class _OneLineErrors(click.Group):
    """Turns every expected failure into one line and its exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            with _logged(context):
                return super().invoke(context)
        except SophiaError as error:
            # A vendor's own words may be part of it.
            click.echo(f"error: {visible(str(error), keep=NEWLINE)}", err=True)
            context.exit(error.exit_code)
        except KeyboardInterrupt as interrupt:
            click.echo("Interrupted. The data is as it was; the next run goes on from there.", err=True)
            context.exit(143 if isinstance(interrupt, Terminated) else 130)


@contextlib.contextmanager
def _logged(context: click.Context) -> Iterator[None]:
    """Sees to the log while a command runs; where lines are collected, one tells how it ended."""
    import time

    from sophia_assets.settings.logs import read_logs
    from sophia_assets.telemetry import logs

    environment = local_environment()
    # The first word alone: others may hold a question or a name.
    words = [*getattr(context, "_protected_args", ()), *context.args]
    command = next((word for word in words if word in main.commands), "sophia")
    try:
        settings = read_logs(environment)
    except ConfigurationError:
        if command != doctor.name:
            raise
        settings = read_logs({})  # the doctor tells of what is wrong itself
    logs.configure(settings, environment)
    # By its name, which is another one under `python -m`.
    log, began, code = logs.get_logger("sophia_assets.cli"), time.monotonic(), 1
    with logs.bound(command=command):
        try:
            yield
            code = 0
        except (SystemExit, click.exceptions.Exit) as end:
            code = end.code if isinstance(end, SystemExit) else end.exit_code  # type: ignore[assignment]
            raise
        except SophiaError as error:
            code = error.exit_code
            raise
        finally:
            log.info("a command ended", code=code, seconds=round(time.monotonic() - began, 3))


_FOLDER = click.Path(path_type=Path)


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sophia")
def main() -> None:
    """Briefings that an executive can trust, from your business systems."""


main.add_command(metrics)
main.add_command(flags)
main.add_command(circuit)
main.add_command(drill)
main.add_command(sandbox)
main.add_command(briefing)
main.add_command(usage)
main.add_command(encryption)
main.add_command(users)
main.add_command(audit)
main.add_command(ask)
main.add_command(sql)
main.add_command(mcp)
main.add_command(doctor)
main.add_command(retention)
main.add_command(exporter)
main.add_command(slo)


@main.command()
@click.option("--date", "day", type=DAY, help="Briefing day (default: the last complete one).")
@click.option("--seed", type=click.IntRange(min=0), help="Which simulated company.")
@click.option("--days", type=click.IntRange(30, 3660), help="Days of history of a new simulated company.")
@click.option("--data", "data_dir", type=_FOLDER, help="Serve this folder of exports instead of a simulated company.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to standard error.")
def run(day: date | None, seed: int | None, days: int | None, data_dir: Path | None, as_json: bool) -> None:
    """Read every system, check, model, and write the briefing of a day."""
    from sophia_assets.daily_run import RunRequest, run_once
    from sophia_assets.encryption.vault import vault_for
    from sophia_assets.insight.archive import BriefingArchive

    if seed is not None and data_dir is not None:
        raise ConfigurationError("--seed and --data name two different companies", remedy="Give one of them")
    settings = load_settings()
    outcome = run_once(
        settings,
        RunRequest(day=day, seed=seed, days=days, data_dir=data_dir),
        lambda line: click.echo(line, err=True),
    )
    archive = BriefingArchive(outcome.home.briefings, vault_for(settings, outcome.home))
    files = archive.files(outcome.day)
    if as_json:
        result = {
            "date": outcome.day.isoformat(),
            "briefing_html": str(files.html),
            "briefing_md": str(files.markdown),
            "briefing_json": str(files.json),
            "is_encrypted": archive.is_encrypted,
            "duration_s": outcome.duration_s,
            "rows": outcome.rows,
            "loads": outcome.loads,
            "checks": outcome.checks,
            "failures": [str(failure) for failure in outcome.failures],
        }
        click.echo(json.dumps(result, indent=1))
    else:
        checks = outcome.checks
        click.echo(f"{sum(outcome.rows.values()):,} rows in {len(outcome.rows)} tables, {outcome.duration_s:.0f} s")
        click.echo(
            f"{checks['passed']} checks passed, {checks['warned']} warned, {checks['failed']} failed, "
            f"{checks['not_run']} could not run"
        )
        click.echo(f"The briefing of {outcome.day}: {files.html}")
        if archive.is_encrypted:
            click.echo(
                f"It is encrypted: `sophia briefing show --date {outcome.day}` prints it, "
                f"`sophia briefing export --date {outcome.day} --to FILE` writes it as a page."
            )
    for failure in outcome.failures:
        click.echo(f"error: {visible(str(failure), keep=NEWLINE)}", err=True)
    if outcome.failures:
        click.echo("The briefing was written on the last good data and says so.", err=True)
        sys.exit(5)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True)
def ui(host: str, port: int) -> None:
    """Open the Dagster UI on the home that was last run, with the sandbox beside it. Ctrl-C stops both."""
    from sophia_assets.orchestration.instance import dagster_home_for
    from sophia_assets.ports import refuse_taken
    from sophia_assets.sandbox.commands import company_config
    from sophia_assets.sandbox.launch import start_sandbox

    refuse_taken(host, port, "Dagster's UI", "Stop the program that has it, or run `make ui PORT=3001`")
    settings = load_settings()
    home = current_home(settings)
    home.prepare()
    with contextlib.ExitStack() as stack:
        if settings.uses_sandbox and home.sandbox_env() is None:
            config = company_config(settings, home, seed=None, start=None, as_of=None, scale=1.0, port=0)
            click.echo("Starting the sandbox beside it")
            stack.enter_context(start_sandbox(config, wait_for="listening"))
        environment = {
            **settings.environment,
            "DAGSTER_HOME": str(dagster_home_for(home, settings)),
            "SOPHIA_HOME": str(settings.base_home),
            # Its successor is another package; the command itself is kept.
            "PYTHONWARNINGS": "ignore:Function `dev_command` is superseded",
        }
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT_ROOT / "workspace.yaml")]
        click.echo(f"Dagster's UI: http://{host}:{port}  (Ctrl-C stops it)")
        command += ["-h", host, "-p", str(port)]
        if is_collected := settings.logs.format == "json":
            command += ["--log-format", "json"]
        with _running(command, environment, home.path, is_collected=is_collected) as process:
            sys.exit(process.wait())


@main.command()
@click.option("--host", help="Where it listens (default: 127.0.0.1, or SOPHIA_WEB_HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 8000, or SOPHIA_WEB_PORT.")
@click.option("--behind-proxy", is_flag=True, help="A proxy of SOPHIA_WEB_TRUSTED_PROXIES speaks TLS in front of it.")
def serve(host: str | None, port: int | None, behind_proxy: bool) -> None:
    """Serve the reader and the API: briefings, evidence, questions. Ctrl-C stops it when what was asked is answered."""
    from sophia_assets.control.operating import opened_services
    from sophia_assets.web.server import serve as serve_reader

    with opened_services() as services:
        serve_reader(services, host=host, port=port, is_behind_proxy=behind_proxy, tell=click.echo)
    click.echo("Stopped.")


@contextlib.contextmanager
def _running(
    command: list[str], environment: dict[str, str], folder: Path, *, is_collected: bool
) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a process group of its own, all of which ends with the block.

    Where logs are collected, each line that it or its children print becomes one of ours.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pipes: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if is_collected else {}
    process = subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True, **pipes)  # type: ignore[call-overload]
    if process.stdout is not None:
        from sophia_assets.telemetry.logs import collect

        collect(process.stdout, "dagster")
    try:
        yield process
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # What a program started in the background ignores SIGINT, so the whole group is asked by SIGTERM.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    main()
