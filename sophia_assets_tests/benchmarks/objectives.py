"""`python -m sophia_assets_tests.benchmarks.objectives`: what `sophia slo` takes on the figures of a busy year.

A control store is filled with a row for every day, series, label and part; then the report of the whole year is read
again and again, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sophia_assets.control.schema import measures
from sophia_assets.home import Home
from sophia_assets.observability.slo import read_service
from sophia_assets.services import Services
from sophia_assets.telemetry.recording import COUNT, SUM, VALUE, bound_text, label_text
from sophia_assets.telemetry.series import Kind, Origin, every_series
from sophia_assets_tests.control.postgres import running_postgres
from sophia_assets_tests.finished_home import services_of

DAYS, REPEATS, SETS_OF_LABELS = 365, 7, 8


def fill(services: Services, now: datetime) -> int:
    """A year of day rows as a busy platform leaves them; how many."""
    cells: list[tuple[str, str, str]] = []
    for series in every_series():
        if series.origin is not Origin.RECORDED or series.kind is Kind.GAUGE:
            continue
        bounds = [bound_text(bound) for bound in series.buckets]
        parts = [VALUE] if series.kind is Kind.COUNTER else [*bounds, SUM, COUNT]
        for number in range(SETS_OF_LABELS if series.labels else 1):
            labels = label_text(f"{name}{number}" for name in series.labels)
            cells += [(series.name, labels, part) for part in parts]
    rows = [
        {"day": day, "series": name, "labels": labels, "part": part, "value": 3.0}
        for day in ((now.date() - timedelta(days=ago)).isoformat() for ago in range(DAYS))
        for name, labels, part in cells
    ]
    with services.control.transaction() as connection:
        connection.execute(measures.insert(), rows)
    return len(rows)


def measured(kind: str, folder: Path, settings: dict[str, str]) -> None:
    """Fills one store, and prints what a report of the year takes."""
    home = Home(folder)
    home.prepare()
    services = services_of(home, settings)
    try:
        now = datetime.now(UTC)
        rows = fill(services, now)
        took = []
        for _ in range(REPEATS + 1):
            began = time.perf_counter()
            read_service(services, days=DAYS, now=now)
            took.append((time.perf_counter() - began) * 1000)
    finally:
        services.close()
    # The first one opens the store.
    low, middle, high = statistics.quantiles(took[1:], n=4)
    print(f"{kind}: a report of {rows:,} rows: median {middle:.0f} ms, quartiles {low:.0f} and {high:.0f} ms")


def main() -> None:
    """Measures on both stores."""
    with tempfile.TemporaryDirectory() as folder, running_postgres() as postgres:
        measured("SQLite", Path(folder, "sqlite"), {})
        measured("PostgreSQL", Path(folder, "postgres"), {"SOPHIA_CONTROL_URL": postgres.new_database()})


if __name__ == "__main__":
    main()
