"""`make bench`: what it costs to load the definitions, and what a first and a second whole run cost.

Writes `bench/results.json` and `bench/results.md` under the home, and prints the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from sophia_assets.settings import load_settings

_IMPORTS = {
    "import dagster, dagster_pandas": "import dagster, dagster_pandas",
    "load the definitions": "import sophia_assets.definitions",
}


def measured(command: Sequence[str], environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """Wall seconds and, over the process and its children, CPU seconds and peak memory (MB) of a command."""
    began = time.monotonic()
    process = psutil.Popen(
        command, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak, cpu = 0, {}
    while process.poll() is None:
        total = 0
        for member in [process, *_children(process)]:
            try:
                total += member.memory_info().rss
                times = member.cpu_times()
                cpu[member.pid] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
        peak = max(peak, total)
        time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}")
    return {"wall_s": time.monotonic() - began, "cpu_s": sum(cpu.values()), "peak_mb": peak / 1e6}


def _children(process: psutil.Popen) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def measure_imports(repeats: int) -> dict[str, list[dict[str, float]]]:
    """Each import in fresh processes, taking turns."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in _IMPORTS}
    for _ in range(repeats):
        for name, statement in _IMPORTS.items():
            found[name].append(measured([sys.executable, "-c", statement]))
    return found


def measure_runs(repeats: int) -> dict[str, list[dict[str, float]]]:
    """A first run in an empty home and a second one that finds nothing new."""
    found: dict[str, list[dict[str, float]]] = {"first run, empty home": [], "second run, nothing new": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for name in found:
                command = [sys.executable, "-m", "sophia_assets.cli", "run"]
                found[name].append(measured(command, {"SOPHIA_HOME": folder}))
    return found


def as_markdown(results: Mapping[str, Any]) -> str:
    """The results as a table: median, and the quartiles of the wall time where there are enough repeats."""
    lines = ["| what | repeats | wall s (median) | wall s (quartiles) | CPU s | peak MB |", "|---|---|---|---|---|---|"]
    for name, samples in results["measurements"].items():
        walls = [sample["wall_s"] for sample in samples]
        quartiles = statistics.quantiles(walls, n=4) if len(walls) > 1 else [walls[0]] * 3
        lines.append(
            f"| {name} | {len(walls)} | {statistics.median(walls):.2f} | {quartiles[0]:.2f} to {quartiles[2]:.2f} | "
            f"{statistics.median(s['cpu_s'] for s in samples):.2f} | "
            f"{statistics.median(s['peak_mb'] for s in samples):.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures, writes and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--imports", type=int, default=7, help="repeats of each import")
    parser.add_argument("--runs", type=int, default=3, help="repeats of the two runs")
    options = parser.parse_args()
    results = {
        "machine": {"cores": os.cpu_count(), "memory_gb": round(psutil.virtual_memory().total / 1e9)},
        "versions": {"python": platform.python_version(), **{n: version(n) for n in ("dagster", "duckdb", "pandas")}},
        "measurements": {**measure_imports(options.imports), **measure_runs(options.runs)},
    }
    folder = load_settings().base_home / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    table = as_markdown(results)
    (folder / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    Path(folder / "results.md").write_text(table + "\n", encoding="utf-8")
    print(f"{table}\n\nWritten to {folder}")


if __name__ == "__main__":
    main()
