"""`python -m sophia_assets_tests.benchmarks.denials`: how long it takes to be told that a circuit is open.

Nothing is sent to the system; what is measured is one look into the control store and the refusal with its words.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from sophia_assets.control.breaker import Failure
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import CircuitOpen
from sophia_assets_tests.control.postgres import running_postgres

_BUSY = 100  # so many outcomes lie in the row of a busy circuit


def measured(url: str, denials: int) -> dict[str, float]:
    """Milliseconds per denial: median, 99th percentile, worst."""
    store = ControlStore(url)
    circuits = Circuits(store)
    for _ in range(_BUSY):
        circuits.succeeded("gong")
    circuits.failed("gong", Failure("authentication", "the token was refused"))
    took = []
    for _ in range(denials):
        began = time.perf_counter()
        with suppress(CircuitOpen):
            circuits.admit("gong", "a credential", obj="calls")
        took.append((time.perf_counter() - began) * 1000)
    store.close()
    return {
        "p50_ms": round(statistics.median(took), 3),
        "p99_ms": round(statistics.quantiles(took, n=100)[98], 3),
        "worst_ms": round(max(took), 3),
    }


def main() -> None:
    """Measures both stores and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--denials", type=int, default=5000)
    denials = parser.parse_args().denials
    with tempfile.TemporaryDirectory() as folder, running_postgres() as server:
        found = {
            "sqlite": measured(f"sqlite:///{Path(folder) / 'control.db'}", denials),
            "postgres": measured(server.new_database(), denials),
        }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
