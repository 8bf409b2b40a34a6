"""`python -m sophia_assets_tests.benchmarks.rollbacks`: how long until other processes see a rollback, and what a look
at a switch costs.

Other processes look at the flag again and again, as readers of pages and figures do, and say when they first saw each
new value; clocks are those of one machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from contextlib import ExitStack
from multiprocessing.queues import Queue
from pathlib import Path

from sophia_assets.control.flags import Flags
from sophia_assets.control.store import ControlStore
from sophia_assets_tests.control.postgres import running_postgres

NAME = "gong.rollout"


def look(url: str, seen: Queue[tuple[int, float]], look_again_s: float, until: int) -> None:
    """Tells each value of the flag with the moment at which it was first seen."""
    flags, last = Flags(ControlStore(url)), -1
    while last != until:
        value = int(flags.get(NAME))
        if value != last:
            seen.put((value, time.monotonic()))
            last = value
        time.sleep(look_again_s)


def rollbacks_seen(url: str, *, watchers: int, rollbacks: int, look_again_s: float) -> list[float]:
    """For each rollback and watcher, the seconds from the order until it was seen."""
    flags = Flags(ControlStore(url))
    flags.set(NAME, rollbacks, "bench", "the beginning")
    context = multiprocessing.get_context("spawn")
    seen: Queue[tuple[int, float]] = context.Queue()
    processes = [context.Process(target=look, args=(url, seen, look_again_s, 0)) for _ in range(watchers)]
    for process in processes:
        process.start()
    delays: list[float] = []
    for value in range(rollbacks, -1, -1):
        ordered = time.monotonic()
        if value < rollbacks:
            flags.set(NAME, value, "bench", "a rollback")
        told = [seen.get(timeout=60) for _ in processes]
        assert {number for number, _ in told} == {value}
        delays += [moment - ordered for _, moment in told if value < rollbacks]
    for process in processes:
        process.join()
    return delays


def looks(url: str, number: int) -> list[float]:
    """The seconds of each look at a switch."""
    flags, found = Flags(ControlStore(url)), []
    flags.is_on("gong.enabled")
    for _ in range(number):
        began = time.perf_counter()
        flags.is_on("gong.enabled")
        found.append(time.perf_counter() - began)
    return found


def main() -> None:
    """Measures on both stores and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=4)
    parser.add_argument("--rollbacks", type=int, default=100, help="at most 100")
    parser.add_argument("--look-again", type=float, default=0.2, help="seconds between a watcher's looks")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(running_postgres())
        for store, url in (("SQLite", f"sqlite:///{folder / 'control.db'}"), ("Postgres", server.new_database())):
            costs = looks(url, 2_000)
            delays = rollbacks_seen(
                url, watchers=options.watchers, rollbacks=options.rollbacks, look_again_s=options.look_again
            )
            print(
                f"{store}: a look at a switch {statistics.median(costs) * 1e3:.2f} ms (99 %: "
                f"{statistics.quantiles(costs, n=100)[98] * 1e3:.2f} ms); {len(delays)} sightings of rollbacks, "
                f"median {statistics.median(delays) * 1e3:.0f} ms, slowest {max(delays) * 1e3:.0f} ms"
            )


if __name__ == "__main__":
    main()
