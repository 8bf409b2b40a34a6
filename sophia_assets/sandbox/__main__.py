"""`python -m sophia_assets.sandbox`: serves the stand-ins in the foreground."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from datetime import date
from pathlib import Path

from sophia_assets.errors import SophiaError
from sophia_assets.sandbox.config import DEFAULT_SEED, Endpoints, SandboxConfig


def main(arguments: list[str] | None = None) -> int:
    """Serve until stopped; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    piped = options.config is not None
    try:
        config = SandboxConfig.from_json(options.config) if piped else _config(options)
        if piped:
            _serve_piped(config)
        else:
            serve_in_foreground(config, env_only=options.env)
        return 0
    except KeyboardInterrupt:
        return 130
    except SophiaError as problem:
        if piped:
            told = {"type": type(problem).__name__, "message": problem.message, "remedy": problem.remedy}
            _emit({"event": "failed", "system": problem.system, "object": problem.obj, **told})
        else:
            print(f"error: {problem}", file=sys.stderr)
        return problem.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sophia_assets.sandbox", description=__doc__)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--start", type=date.fromisoformat, help="the company's first day")
    parser.add_argument("--as-of", type=date.fromisoformat, help="its last day (default: yesterday)")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--data", type=Path, help="serve this folder of exports instead")
    parser.add_argument("--timezone", default="UTC")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--fault", action="append", default=[], metavar="SYSTEM:KIND[:ARG]")
    parser.add_argument("--no-limits", action="store_true", help="lift the vendors' rate limits")
    parser.add_argument("--parent-pid", type=int, help="end when this process ends")
    parser.add_argument("--endpoints-file", type=Path, help="write the readiness report here")
    parser.add_argument("--env", action="store_true", help="print only the exports for a shell")
    parser.add_argument("--config", help=argparse.SUPPRESS)
    return parser


def _config(options: argparse.Namespace) -> SandboxConfig:
    return SandboxConfig(
        seed=options.seed,
        start=options.start,
        as_of=options.as_of,
        scale=options.scale,
        data_dir=options.data,
        timezone=options.timezone,
        host=options.host,
        port=options.port,
        faults=tuple(options.fault),
        limits=not options.no_limits,
        parent_pid=options.parent_pid,
        endpoints_file=options.endpoints_file,
    )


def serve_in_foreground(config: SandboxConfig, *, env_only: bool = False) -> None:
    """Serves until stopped, and prints how to reach it once every system answers."""
    from sophia_assets.sandbox.server import serve

    serve(config, lambda endpoints: _print(endpoints, env_only))


def _serve_piped(config: SandboxConfig) -> None:
    from sophia_assets.sandbox.server import serve

    serve(
        config,
        lambda endpoints: _emit({"event": "ready", "endpoints": endpoints.to_dict()}),
        on_listening=lambda endpoints: _emit({"event": "listening", "endpoints": endpoints.to_dict()}),
        stop_on_eof=sys.stdin.fileno(),
    )


def _emit(event: dict[str, object]) -> None:
    print(json.dumps(event), flush=True)


def _print(endpoints: Endpoints, env_only: bool) -> None:
    if not env_only:
        print(f"# {endpoints.company}, {endpoints.first_day} to {endpoints.last_day}. Ctrl-C stops it.")
        for warning in endpoints.warnings:
            print(f"# warning: {warning}")
    for name, value in endpoints.env.items():
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
