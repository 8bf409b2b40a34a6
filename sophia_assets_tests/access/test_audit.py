"""The audit trail: every access is committed before anything is shown, and what cannot be recorded is denied."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from sophia_assets.access.audit import AuditTrail
from sophia_assets.access.audit_chain import Entry, canonical
from sophia_assets.access.principal import Principal
from sophia_assets.access.users import Users
from sophia_assets.control.flags import Flags
from sophia_assets.control.schema import audit
from sophia_assets.control.store import ControlStore
from sophia_assets.encryption.vault import PlainVault
from sophia_assets.errors import AuditUnavailable
from sophia_assets_tests.access.trails import ADA, BOB, Trail, told
from sophia_assets_tests.control.postgres import PostgresServer, running_postgres, with_driver

_RECORD = """
import sys
from pathlib import Path
from sophia_assets_tests.access.trails import Trail
trail = Trail(Path(sys.argv[1]), url=sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
trail.fill(40)
trail.close()
"""
_NOBODY = 65_534


class SealingVault(PlainVault):
    """A vault of which can be seen that it sealed."""

    def seal_text(self, text: str, context: str) -> str:
        return f"<{context}:{text[::-1]}>"

    def open_text(self, text: str, context: str) -> str:
        return text.removeprefix(f"<{context}:").removesuffix(">")[::-1]


def test_what_is_recorded_is_read_back_newest_first(trail: Trail) -> None:
    first = trail.audit.record(ADA, "ask", "bookings", "allowed", {"question": "what?", "facts": ["f1", "f2"]})
    second = trail.audit.record(BOB, "evidence.read", "mrr", "denied", {"why": "the role does not see it"})
    newest, oldest = trail.audit.tail()

    assert (first, second) == (1, 2) == (oldest.seq, newest.seq)
    assert (newest.actor, newest.role, newest.channel) == ("bob", "analyst", "page")
    assert (newest.action, newest.target, newest.outcome) == ("evidence.read", "mrr", "denied")
    assert oldest.details == {"question": "what?", "facts": ["f1", "f2"]}
    assert oldest.at < newest.at and newest.at.endswith("Z")
    assert trail.verify().is_whole


def test_entries_are_found_by_who_and_by_action_or_its_group(trail: Trail) -> None:
    Users(trail.store).add("ada", "executive", by="root")
    trail.audit.record(ADA, "ask", "bookings", "allowed")
    trail.audit.record(BOB, "users_export", "x", "allowed")

    assert [entry.action for entry in trail.audit.tail(who="ada")] == ["ask"]
    assert [entry.action for entry in trail.audit.tail(action="users")] == ["users.add"]
    assert [entry.action for entry in trail.audit.tail(action="users.*")] == ["users.add"]
    assert len(trail.audit.tail(2)) == 2 and trail.audit.tail(who="%") == []


def test_deeds_of_operators_are_in_the_chain_with_their_reasons(trail: Trail) -> None:
    flags, users = Flags(trail.store), Users(trail.store)
    flags.set("gong.rollout", "50", "ada", "first step")
    users.add("bob", "analyst", by="ada", reason="new here")

    entries = trail.audit.tail()
    assert [(entry.actor, entry.channel, entry.target, entry.details["reason"]) for entry in entries] == [
        ("ada", "operator", "bob", "new here"),
        ("ada", "operator", "gong.rollout", "first step"),
    ]
    assert trail.verify().is_whole


def test_a_deed_that_fails_leaves_no_entry(trail: Trail) -> None:
    with pytest.raises(KeyError), trail.store.transaction() as connection:
        trail.chain.append(connection, [Entry.of(ADA, "ask", "x", "allowed", {})])
        raise KeyError
    trail.audit.record(ADA, "ask", "y", "allowed")

    assert [(entry.seq, entry.target) for entry in trail.audit.tail()] == [(1, "y")]
    assert trail.verify().is_whole


def test_free_text_is_sealed_by_the_vault_and_opened_again(filed: Trail) -> None:
    AuditTrail(filed.store, SealingVault()).record(ADA, "ask", "bookings", "allowed", {"question": "what?", "n": 1})
    with filed.store.reading() as connection:
        kept = connection.execute(select(audit.c.details)).scalar_one()

    assert "what?" not in kept and "?tahw" in kept
    assert AuditTrail(filed.store, SealingVault()).tail()[0].details == {"question": "what?", "n": 1}


def test_what_looks_like_a_token_is_not_recorded(filed: Trail) -> None:
    token = Users(filed.store).add("bob", "analyst", by="root")
    filed.audit.record(ADA, f"ask {token}", token, "failed", {"question": f"is {token} mine?", token: [token]})

    assert token not in str(filed.audit.tail()) and token[-43:] not in str(filed.audit.tail())


@pytest.mark.parametrize(
    "value",
    ["\ud800", "\x00", "x" * 1_000_000, "🦊" * 9_000, float("nan"), float("inf"), 2**200,
     {1: {2: {3: {4: {5: {6: {}}}}}}}, {"x"}, b"bytes", object, None, [["x"] * 100_000]],
)  # fmt: skip
def test_whatever_is_handed_over_is_recorded_and_verified(trail: Trail, value: object) -> None:
    who = Principal(f"a{str(value)[:300]}", "executive", "api")
    trail.audit.record(who, "ask", str(value), "allowed", {"question": str(value), "value": value, str(value): 1})

    assert trail.verify().is_whole, told(trail.verify())
    assert len(trail.audit.tail()) == 1


def test_details_are_the_same_whatever_their_order() -> None:
    assert canonical({"b": 1, "a": {"y": 2, "x": 3}}) == canonical({"a": {"x": 3, "y": 2}, "b": 1})


def test_an_unknown_outcome_is_a_mistake_of_the_caller(filed: Trail) -> None:
    with pytest.raises(ValueError, match="allowed: allowed, denied, failed"):
        filed.audit.record(ADA, "ask", "x", "maybe")  # type: ignore[arg-type]


def test_threads_that_record_at_once_each_get_a_number_of_their_own(trail: Trail) -> None:
    gate = threading.Barrier(16)

    def record(thread: int) -> list[int]:
        gate.wait(30)
        return [trail.audit.record(ADA, "ask", f"{thread}.{number}", "allowed") for number in range(10)]

    with ThreadPoolExecutor(16) as pool:
        numbers = [seq for found in pool.map(record, range(16)) for seq in found]

    assert sorted(numbers) == list(range(1, 161))
    targets = {entry.target for entry in trail.audit.tail(1000)}
    assert targets == {f"{thread}.{number}" for thread in range(16) for number in range(10)}
    assert trail.verify().is_whole, told(trail.verify())


def test_processes_that_record_at_once_share_one_chain_and_one_key(trail: Trail) -> None:
    command = [sys.executable, "-c", _RECORD, str(trail.folder), trail.url]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [process.wait(60) for process in processes] == [0, 0, 0]

    found = trail.verify()
    assert found.is_whole and found.entries == 120, told(found)


def test_the_trail_is_whole_after_each_kill(filed: Trail) -> None:
    for _ in range(3):
        child = os.fork()
        if child == 0:
            Trail(filed.folder).fill(10_000)
            os._exit(0)
        while not filed.audit.tail(1):
            pass
        before = filed.audit.tail(1)[0].seq
        while filed.audit.tail(1)[0].seq < before + 20:
            pass
        os.kill(child, 9)
        os.waitpid(child, 0)
        found = filed.verify()
        assert found.is_whole, told(found)
    filed.fill(1)
    assert filed.verify().is_whole


# --- What cannot be recorded is denied


def denied(trail: Trail) -> str:
    with pytest.raises(AuditUnavailable) as refused:
        trail.audit.record(ADA, "ask", "bookings", "allowed")
    assert "\n" not in str(refused.value) and refused.value.remedy
    return str(refused.value)


def test_a_locked_store_denies(tmp_path: Path) -> None:
    trail = Trail(tmp_path, wait_seconds=0.3)
    trail.fill(1)
    other = sqlite3.connect(tmp_path / "control.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert "has been in use by another process" in denied(trail)
    other.execute("ROLLBACK")
    trail.fill(1)
    assert trail.verify().is_whole


def test_a_store_that_may_not_be_written_denies() -> None:
    """Tried by somebody who may read everything and write nothing, which root is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trail = Trail(folder)
        trail.fill(1)
        trail.close()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        receiving, sending = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if os.getuid() == 0:
                    os.setuid(_NOBODY)
                os.write(sending, denied(Trail(folder, wait_seconds=0.3)).encode())
            finally:
                os._exit(0)
        os.close(sending)
        os.waitpid(child, 0)
        why = os.read(receiving, 10_000).decode()
        os.close(receiving)
        folder.chmod(0o755)

        assert "so nothing is shown" in why and "can be written" in why
        assert [entry.seq for entry in Trail(folder).audit.tail()] == [1]


def test_a_store_whose_file_is_garbage_denies(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_text("no database" * 500)

    assert "is not a control store" in denied(Trail(tmp_path))


def test_a_folder_for_checkpoints_that_cannot_be_written_denies_from_the_second_entry_on(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file in the folder's place")
    trail = Trail(tmp_path)
    trail.fill(1)

    assert "what bears witness to the audit trail cannot be written" in denied(trail)
    (tmp_path / "audit").unlink()
    trail.fill(1)
    assert trail.verify().is_whole


def test_a_store_without_a_key_denies(postgres_url: str) -> None:
    with pytest.raises(AuditUnavailable, match="has no key"):
        AuditTrail(ControlStore(postgres_url), PlainVault()).record(ADA, "ask", "x", "allowed")


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


def test_a_postgres_that_is_gone_denies_and_one_that_is_back_goes_on(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    url = own_postgres.new_database()
    trail = Trail(tmp_path, url=url, wait_seconds=2)
    trail.fill(1)
    name = url.rpartition("/")[2].partition("?")[0]
    admin = create_engine(
        with_driver(url).replace(f"/{name}", "/postgres"),
        isolation_level="AUTOCOMMIT",
    )
    kick = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    with admin.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(text(kick))
        assert "cannot be used" in denied(trail)
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    trail.fill(1)

    assert trail.verify().is_whole and trail.verify().entries == 2


def test_a_deed_that_cannot_be_recorded_is_not_done(filed: Trail) -> None:
    filed.fill(3)
    with sqlite3.connect(filed.folder / "control.db") as connection:
        connection.execute("UPDATE audit_head SET seq = 2")
    connection.close()

    with pytest.raises(AuditUnavailable, match="head was changed from outside"):
        Flags(filed.store).set("gong.rollout", "50", "ada", "x")
    with pytest.raises(AuditUnavailable):
        Users(filed.store).add("bob", "analyst", by="ada")
    assert Flags(filed.store).get("gong.rollout") == 100 and Users(filed.store).all() == []
