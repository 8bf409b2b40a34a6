"""The guard of a drill, a process of its own: ends what the drill has started where the drill was killed.

It reads a line per process group from standard input: `ID` for one that was started, `-ID` for one that has ended,
`done` where nothing is left to do. End of input without that means that the drill is gone.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterable

from sophia_assets.drill.processes import end_groups


def main(lines: Iterable[str], folder: str | None) -> None:
    """Minds the groups in `lines`; removes `folder` where it had to end them."""
    groups: dict[int, None] = {}
    for line in lines:
        told = line.strip()
        if told == "done":
            return
        if told.startswith("-"):
            groups.pop(int(told[1:]), None)
        else:
            groups[int(told)] = None
    end_groups(list(groups))
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    # Whoever ends the drill by signals to all of its terminal's processes must not end the guard first.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    main(sys.stdin, sys.argv[1] if len(sys.argv) > 1 else None)
