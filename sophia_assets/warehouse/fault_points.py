"""Named places in a load at which a test can have the process killed, to show that a restart heals everything.

`SOPHIA_KILL_AT=<name>:<n>` kills this process, as `kill -9` would, when it comes to the place for the n-th time.
Without the variable, nothing happens.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

KILL_AT = "SOPHIA_KILL_AT"

FAULT_POINTS = (
    "page_received",
    "segment_half_written",
    "before_journal_line",
    "journal_line_half_written",
    "checkpoint_written",
    "before_merge",
    "rows_merged",
    "ledger_written",
    "committed",
    "clean_up_half_done",
    "cleaned_up",
)

_reached: Counter[str] = Counter()


def reach(name: str) -> None:
    """Called when the load comes to the place `name`."""
    wanted = os.environ.get(KILL_AT)
    if wanted is None:
        return
    _reached[name] += 1
    if wanted == f"{name}:{_reached[name]}":
        os.kill(os.getpid(), signal.SIGKILL)
