"""A half-open circuit, over the real wire: whoever reaches for its probe, the vendor gets one request."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from sophia_assets.control.breaker import Failure, State
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.store import ControlStore
from sophia_assets_tests.llm.probing import POLICY
from sophia_assets_tests.llm.scripted_server import Connection, scripted_server
from sophia_assets_tests.llm.vendors import ANTHROPIC


def test_two_processes_at_once_make_one_probe(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'control.db'}"
    store = ControlStore(url)
    circuits = Circuits(store, lambda _: POLICY)
    answered = threading.Event()

    def wait(_: Connection) -> None:
        answered.wait(50)

    with scripted_server([wait, *ANTHROPIC.answer()]) as server:
        command = [sys.executable, "-m", "sophia_assets_tests.llm.probing", url, server.url]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
        ]
        outputs = [process.stdout for process in processes]
        assert [output.readline() for output in outputs if output] == ["ready\n"] * 2
        circuits.failed("anthropic", Failure("connection", "no answer"))
        time.sleep(POLICY.recovery_timeout.total_seconds() + 0.05)
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said: list[str] = []
        readers = [threading.Thread(target=lambda out=output: said.append(out.readline())) for output in outputs]
        for reader in readers:
            reader.start()
        until = time.monotonic() + 40
        while not said and time.monotonic() < until:
            time.sleep(0.01)
        # The one that did not get the probe has given up; now the other is answered.
        assert said == ["nobody\n"]
        answered.set()
        for reader in readers:
            reader.join(20)
        assert said == ["nobody\n", "anthropic\n"]
        assert len(server.received) == 1
        for process in processes:
            process.communicate(timeout=20)
    assert circuits.get("anthropic").state is State.CLOSED
    store.close()
