"""How fast the audit trail is: `python -m sophia_assets_tests.access.long_trail --entries 1000000`."""

from __future__ import annotations

import resource
import statistics
import tempfile
import threading
import time
from pathlib import Path

import click

from sophia_assets.access.audit_chain import Entry
from sophia_assets_tests.access.trails import ADA, KEY, Trail

_AT_ONCE = 10_000


def fill(trail: Trail, entries: int) -> None:
    """Appends so many entries, thousands in a transaction."""
    for start in range(0, entries, _AT_ONCE):
        batch = [
            Entry.of(ADA, "ask", f"metric {number}", "allowed", {"question": f"what of {number}?", "rows": number})
            for number in range(start, min(entries, start + _AT_ONCE))
        ]
        with trail.store.transaction() as connection:
            trail.chain.append(connection, batch)


def appends_per_second(trail: Trail, threads: int, each: int) -> float:
    """How many accesses so many threads record in a second."""
    workers = [threading.Thread(target=trail.fill, args=(each,)) for _ in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return threads * each / (time.perf_counter() - began)


def append_milliseconds(trail: Trail, count: int) -> tuple[float, float]:
    """The median, and the slowest but one in a hundred, of recording one access."""
    times = []
    for _ in range(count):
        began = time.perf_counter()
        trail.fill(1)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), sorted(times)[int(len(times) * 0.99)]


@click.command()
@click.option("--entries", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.option("--url", default="", help="A Postgres, instead of a file.")
@click.option("--threads", type=click.IntRange(1), default=16, show_default=True)
def main(entries: int, url: str, threads: int) -> None:
    """Times appending and verifying."""
    with tempfile.TemporaryDirectory(prefix="sophia-trail-") as name:
        trail = Trail(Path(name), url=url, key=KEY, every=1000)
        trail.fill(10)
        median, slow = append_milliseconds(trail, 300)
        click.echo(f"one append: {median:.2f} ms, P99 {slow:.2f} ms")
        click.echo(f"{appends_per_second(trail, threads, 200):,.0f} appends/s with {threads} threads")
        began = time.perf_counter()
        fill(trail, entries)
        click.echo(f"{entries:,} entries appended in {time.perf_counter() - began:.1f} s")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        found = trail.verify()
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        click.echo(f"{found.entries:,} entries verified in {found.seconds:.1f} s, whole: {found.is_whole}")
        click.echo(f"peak memory {before} MB before verifying, {after} MB after")
        trail.close()


if __name__ == "__main__":
    main()
