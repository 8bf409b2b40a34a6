"""`sophia sandbox`: serves the stand-ins, and tells what is planted. Servers are imported when they run."""

from __future__ import annotations

import contextlib
import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sophia_assets.home import Home, current_home
from sophia_assets.options import DAY
from sophia_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    from sophia_assets.sandbox.config import SandboxConfig


@click.group()
def sandbox() -> None:
    """Stand-ins for the business systems, on loopback."""


def _sandbox_options(function: Any) -> Any:
    for option in reversed(
        [
            click.option("--seed", type=click.IntRange(min=0), help="Which simulated company."),
            click.option("--scale", type=click.FloatRange(min=0.01), default=1.0, show_default=True),
            click.option("--as-of", type=DAY, help="The company's last day (default: yesterday)."),
            click.option("--start", type=DAY, help="Its first day (default: 18 months before)."),
        ]
    ):
        function = option(function)
    return function


@sandbox.command("up")
@_sandbox_options
@click.option("--data", "data_dir", type=click.Path(path_type=Path), help="Serve this folder of exports instead.")
@click.option("--port", type=click.IntRange(0, 65535), default=8710, show_default=True, help="0 takes any free one.")
@click.option("--fault", "faults", multiple=True, metavar="SYSTEM:KIND[:ARG]", help="A fault to play; repeatable.")
@click.option("--env", "env_only", is_flag=True, help="Print only the exports that point the connectors at it.")
def sandbox_up(data_dir: Path | None, port: int, faults: tuple[str, ...], env_only: bool, **company: Any) -> None:
    """Serve the stand-ins in the foreground; Ctrl-C stops them."""
    from sophia_assets.sandbox.__main__ import serve_in_foreground

    settings = load_settings()
    home = current_home(settings)
    home.prepare()
    config = company_config(settings, home, data_dir=data_dir, port=port, faults=faults, **company)
    with contextlib.suppress(KeyboardInterrupt):
        serve_in_foreground(config, env_only=env_only)


@sandbox.command("truth")
@_sandbox_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON (the only form there is).")
def sandbox_truth(as_json: bool, **company: Any) -> None:
    """Print the stories planted in a simulated company, for evaluation."""
    from sophia_assets.sandbox.company.truth import truth_as_json
    from sophia_assets.sandbox.server import make_company

    settings = load_settings()
    made = make_company(company_config(settings, current_home(settings), **company))
    click.echo(json.dumps(truth_as_json(made), indent=1, ensure_ascii=False))


def company_config(
    settings: Settings, home: Home, seed: int | None, start: date | None, as_of: date | None, scale: float, **rest: Any
) -> SandboxConfig:
    """What a sandbox serves: the home's own company, unless another one is asked for."""
    from sophia_assets.sandbox.config import SandboxConfig

    held = home.company()
    data_dir = rest.pop("data_dir", None)
    if held and data_dir is None and seed is None and held.kind == "exports":
        data_dir = Path(str(held.data_dir))
    is_held = bool(held and held.kind == "simulated" and seed in (None, held.seed) and data_dir is None)
    if held and is_held:
        seed = held.seed
        start = start or date.fromisoformat(str(held.start))
        known = date.fromisoformat(str(held.last_day))
        as_of = as_of or max(known, _yesterday(settings))
    return SandboxConfig(
        seed=settings.seed if seed is None else seed,
        start=start,
        as_of=as_of,
        scale=scale,
        data_dir=data_dir,
        timezone=settings.timezone,
        endpoints_file=home.sandbox_file,
        **rest,
    )


def _yesterday(settings: Settings) -> date:
    return datetime.now(settings.tzinfo).date() - timedelta(days=1)
