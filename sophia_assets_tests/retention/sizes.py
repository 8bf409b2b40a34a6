"""What a home takes on disk, part by part."""

from __future__ import annotations

import os
from pathlib import Path

PARTS = ("Dagster: what is known of all runs", "Dagster: logs of runs", "Dagster: ticks", "control store",
         "audit archives", "warehouse", "briefings", "facts", "everything else")  # fmt: skip


def sizes(home: Path) -> dict[str, int]:
    """Bytes by part."""
    found = dict.fromkeys(PARTS, 0)
    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder) / name
            found[_part(path.relative_to(home).as_posix())] += path.stat().st_size
    return found


def _part(path: str) -> str:
    if path.startswith("dagster/history/"):
        is_shared = path.split("/")[-1].split(".db")[0] in ("index", "runs", "")
        return PARTS[0] if is_shared else PARTS[1]
    if path.startswith("dagster/logs/"):
        return PARTS[1]
    if path.startswith("dagster/schedules/"):
        return PARTS[2]
    beginnings = {"control.db": 3, "audit": 4, "warehouse": 5, "briefings/": 6, "facts/": 7}
    return PARTS[next((number for start, number in beginnings.items() if path.startswith(start)), 8)]
