"""`python -m sophia_assets_tests.benchmarks.checks`: which share of a whole run the checks of all raw tables take.

A first run in an empty home is measured from its start to its end; the checks' part is the time that the run's own
thread spends in them, wherever that is: reading goes on meanwhile, but the thread that stores what was read waits.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from datetime import date
from typing import Any

from sophia_assets import daily_run
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry


class _Clock:
    """Seconds of wall time, and of this thread's CPU time, spent in a function."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.calls = 0

    def around(self, function: Any) -> Any:
        def timed(*arguments: Any, **named: Any) -> Any:
            wall, cpu = time.monotonic(), time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                self.wall += time.monotonic() - wall
                self.cpu += time.thread_time() - cpu
                self.calls += 1

        return timed


def measured(day: date) -> dict[str, float]:
    """One first run in an empty home."""
    clock = _Clock()
    execution: Any = daily_run._Execution
    original = execution._check
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"SOPHIA_HOME": folder})
        execution._check = clock.around(original)
        wall, cpu = time.monotonic(), time.thread_time()
        try:
            outcome = daily_run.run_once(settings, daily_run.RunRequest(day=day), lambda _: None)
        finally:
            execution._check = original
        whole = {"run_s": time.monotonic() - wall, "run_cpu_s": time.thread_time() - cpu}
    counts = {name: float(outcome.checks[name]) for name in ("passed", "warned", "failed", "not_run")}
    return {**whole, "checks_s": clock.wall, "checks_cpu_s": clock.cpu, "rounds": clock.calls, **counts}


def kinds() -> Counter[str]:
    """How many declared rules there are of each kind."""
    return Counter(rule.kind for table in registry.tables() for rule in table.expectations)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--date", type=date.fromisoformat, required=True)
    options = parser.parse_args()
    samples = [measured(options.date) for _ in range(options.runs)]
    for kind, number in kinds().most_common():
        print(f"{number:5d} {kind}")
    for name in samples[0]:
        print(f"{name}: {statistics.median(sample[name] for sample in samples):.2f} (median of {len(samples)})")
    share = statistics.median(sample["checks_s"] / sample["run_s"] for sample in samples)
    of_cpu = statistics.median(sample["checks_cpu_s"] / sample["run_cpu_s"] for sample in samples)
    print(f"share of the run: {share:.1%} of its time, {of_cpu:.1%} of its thread's CPU time")


if __name__ == "__main__":
    main()
