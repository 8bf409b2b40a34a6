"""`python -m sophia_assets_tests.llm.probing STORE URL`: a process that asks once, when it is told to.

It says `ready`, waits for a line on its standard input, asks, and says who answered, or `nobody`.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from sophia_assets.control.breaker import BreakerPolicy
from sophia_assets.control.store import ControlStore
from sophia_assets.llm.interface import Deadline, NoModelAnswered
from sophia_assets_tests.llm.stand_ins import Place
from sophia_assets_tests.llm.vendors import ANTHROPIC, PROMPT

POLICY = BreakerPolicy(failure_threshold=1, jitter=0.0, recovery_timeout=timedelta(seconds=1))


def main() -> None:
    """Asks, under the circuits of the store."""
    store_url, url = sys.argv[1:]
    store = ControlStore(store_url)
    provider = ANTHROPIC.asked_at(url)
    provider._load()
    place = Place(store, provider, policy=POLICY)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        completion = place.models.complete(PROMPT, key="daily", deadline=Deadline.after(60.0))
        print(completion.provider, flush=True)
    except NoModelAnswered:
        print("nobody", flush=True)
    store.close()


if __name__ == "__main__":
    main()
