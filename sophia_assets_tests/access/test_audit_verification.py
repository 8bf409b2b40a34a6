"""Verifying: what anybody changes without the key is found, and told with where it shows first."""

from __future__ import annotations

import base64
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.access.audit_archives import archive, restart
from sophia_assets.access.audit_keys import AuditKey, KeySource
from sophia_assets.access.audit_verification import verify
from sophia_assets.errors import AuditUnavailable, ConfigurationError
from sophia_assets.settings import load_settings
from sophia_assets_tests.access.tampering import KINDS, Targets, make_targets, try_one
from sophia_assets_tests.access.trails import ADA, KEY, Trail, told

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def change(trail: Trail, *statements: str) -> None:
    with sqlite3.connect(trail.folder / "control.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def first_bad(trail: Trail) -> int | None:
    return min((finding.seq for finding in trail.verify().findings if finding.seq is not None), default=None)


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Targets:
    return make_targets(tmp_path_factory.mktemp("targets"))


def test_nothing_is_found_where_nothing_was_changed(targets: Targets) -> None:
    for folder in (targets.now, targets.earlier, targets.other):
        found = Trail(folder, key=KEY).verify()
        assert found.is_whole and found.first == 1 and found.archived > 0, told(found)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tampering_is_found(targets: Targets, kind: str) -> None:
    assert all(try_one(targets, seed, kind) for seed in range(3))


@pytest.mark.long
def test_a_thousand_random_tamperings_are_found(targets: Targets) -> None:
    kinds = list(KINDS)

    assert [seed for seed in range(1000) if not try_one(targets, seed, kinds[seed % len(kinds)])] == []


def test_an_empty_store_is_whole(trail: Trail) -> None:
    found = trail.verify()

    assert found.is_whole and found.entries == 0


@pytest.mark.parametrize(
    ("statement", "first", "what"),
    [
        ("UPDATE audit SET actor = 'eve' WHERE seq = 17", 17, "entry 17: it was changed"),
        ("DELETE FROM audit WHERE seq = 17", 17, "entry 17: it is missing"),
        ("DELETE FROM audit WHERE seq BETWEEN 17 AND 20", 17, "entry 17: entries 17 to 20 are missing"),
        ("DELETE FROM audit WHERE seq > 16", 17, "entry 17: entries at the end are missing: the head says"),
        ("DELETE FROM audit_head", None, "the trail's head is gone, while 33 entries are here"),
        ("UPDATE audit_head SET mac = 'x'", 33, "the trail's head was changed from outside"),
        ("UPDATE audit SET seq = 99 WHERE seq = 33", 33, "entry 33: entries 33 to 98 are missing"),
    ],
)
def test_the_first_bad_entry_is_named_with_what_is_wrong(
    filed: Trail, statement: str, first: int | None, what: str
) -> None:
    filed.fill(33)
    change(filed, statement)

    assert what in told(filed.verify())
    assert first_bad(filed) == first


def test_one_edit_among_many_entries_is_one_finding(filed: Trail) -> None:
    filed.fill(30)
    change(filed, "UPDATE audit SET outcome = 'allowed' WHERE seq = 2")

    assert len(filed.verify().findings) == 1


def test_very_many_findings_are_counted_and_the_first_ones_told(filed: Trail) -> None:
    filed.fill(200)
    change(filed, "UPDATE audit SET actor = 'eve'")
    found = filed.verify()

    assert len(found.findings) == 50 and found.left_out == 150 and first_bad(filed) == 1


def test_a_store_that_was_put_back_denies_what_is_to_come(filed: Trail) -> None:
    filed.fill(5)
    filed.close()
    shutil.copy(filed.folder / "control.db", filed.folder / "copy.db")
    filed.fill(5)
    filed.close()
    shutil.copy(filed.folder / "copy.db", filed.folder / "control.db")

    with pytest.raises(AuditUnavailable, match="ends at entry 5, and was at 10 before"):
        filed.fill(1)
    assert "entry 6: entries up to 10 are missing" in told(filed.verify())


def test_a_store_of_another_home_is_found_even_with_the_same_key(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = Trail(tmp_path / "one", key=KEY), Trail(tmp_path / "two", key=KEY)
    for trail in (one, two):
        trail.fill(12)
        trail.close()
    shutil.copy(two.folder / "control.db", one.folder / "control.db")

    assert "is gone: the store is another one" in told(one.verify())


def test_verifying_beside_a_busy_writer_finds_nothing(trail: Trail) -> None:
    import threading

    trail.fill(5)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            trail.fill(10)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(15):
            found = trail.verify()
            assert found.is_whole, told(found)
    finally:
        stop.set()
        writer.join()


# --- Keys


def test_the_key_is_made_once_for_its_owner_alone(filed: Trail) -> None:
    filed.fill(1)
    file = filed.folder / "audit.key"

    assert file.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(file.read_text().strip())) == 32
    assert KEY.hex() not in repr(KeySource(file, KEY, (KEY,))) and KEY.hex() not in repr(AuditKey.of(KEY))


def test_a_lost_key_is_told_and_denies_what_is_to_come(filed: Trail) -> None:
    filed.fill(12)
    filed.close()
    key = (filed.folder / "audit.key").read_text()
    (filed.folder / "audit.key").unlink()
    found = told(filed.verify())
    assert "no key is here: bring back audit.key" in found and "entries 1 to 12 is not here" in found
    with pytest.raises(AuditUnavailable, match=r"which is not here\. Bring back audit\.key"):
        filed.fill(1)
    assert not (filed.folder / "audit.key").exists()
    (filed.folder / "audit.key").write_text(key)

    filed.fill(1)
    assert filed.verify().is_whole


def test_another_key_is_told_and_denies_what_is_to_come(filed: Trail) -> None:
    filed.fill(12)
    filed.close()
    (filed.folder / "audit.key").write_text(f"{KEY.hex()}\n")

    assert "so they cannot be verified: bring back audit.key, or set SOPHIA_AUDIT_OLD_KEYS" in told(filed.verify())
    with pytest.raises(AuditUnavailable, match="which is not here"):
        filed.fill(1)


@pytest.mark.parametrize("content", ["", "no key\n", "\xff\xfe", "abcd\n"])
def test_a_file_that_holds_no_key_denies_and_is_left_as_it_is(filed: Trail, content: str) -> None:
    filed.fill(1)
    filed.close()
    (filed.folder / "audit.key").write_bytes(content.encode("latin-1"))

    with pytest.raises(AuditUnavailable):
        filed.fill(1)
    assert (filed.folder / "audit.key").read_bytes() == content.encode("latin-1")


def test_a_renewed_key_signs_what_is_to_come_and_the_old_one_verifies_the_rest(filed: Trail) -> None:
    filed.fill(12)
    new = filed.chain.keys.renew()
    filed.fill(12)
    found = filed.verify()

    assert found.is_whole and found.entries == 24, told(found)
    with sqlite3.connect(filed.folder / "control.db") as connection:
        assert len(set(connection.execute("SELECT key_id FROM audit").fetchall())) == 2
        assert connection.execute("SELECT key_id FROM audit_head").fetchone() == (new,)
    connection.close()


def test_a_key_of_the_settings_takes_over_from_the_file(filed: Trail) -> None:
    filed.fill(5)
    filed.close()
    later = Trail(filed.folder, key=KEY)
    later.fill(5)

    assert later.verify().is_whole
    with pytest.raises(ConfigurationError, match="a setting"):
        later.chain.keys.renew()


@pytest.mark.parametrize(
    "text", [KEY.hex(), base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(KEY * 2).decode()]
)
def test_a_key_is_set_in_hexadecimal_digits_or_base64(text: str) -> None:
    access = load_settings({"SOPHIA_AUDIT_KEY": text, "SOPHIA_AUDIT_OLD_KEYS": f"{text}, {text}"}).access

    assert access.audit_key in (KEY, KEY * 2) and len(access.audit_old_keys) == 2
    assert text not in repr(access)


@pytest.mark.parametrize("text", ["short", "ab" * 31, base64.b64encode(b"x" * 31).decode(), "!" * 64, "é" * 64])
@pytest.mark.parametrize("name", ["SOPHIA_AUDIT_KEY", "SOPHIA_AUDIT_OLD_KEYS"])
def test_what_is_no_key_is_refused_and_never_told(name: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings({name: text})

    assert f"{name} is no key of at least 32 bytes" in str(refused.value) and text not in str(refused.value)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="SOPHIA_AUDIT_FOLDER is set, which is no setting"):
        load_settings({"SOPHIA_AUDIT_FOLDER": "x"})


# --- Archives, and trails that are put aside


def test_archived_entries_stay_in_the_chain(trail: Trail) -> None:
    trail.fill(25)
    done = archive(trail.store, trail.chain, TOMORROW, "ada", "old")
    assert (done.entries, done.first, done.last) == (25, 1, 25)
    trail.fill(10)
    again = archive(trail.store, trail.chain, TOMORROW, "ada", "old")
    assert (again.first, again.last) == (26, 36)
    trail.fill(3)

    found = trail.verify()
    assert found.is_whole and (found.first, found.last, found.archived, found.entries) == (1, 40, 36, 4), told(found)
    assert trail.audit.tail()[-1].action == "audit.archive"


def test_only_what_is_old_enough_is_archived(filed: Trail) -> None:
    filed.fill(6)
    middle = datetime.fromisoformat(filed.audit.tail(3)[-1].at)
    done = archive(filed.store, filed.chain, middle, "ada", "old")

    assert (done.first, done.last) == (1, 3)
    with pytest.raises(ConfigurationError, match="no entry is from before"):
        archive(filed.store, filed.chain, middle, "ada", "old")
    assert filed.verify().is_whole


def test_an_archiving_that_was_killed_before_its_commit_is_done_anew(
    filed: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    filed.fill(12)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(filed.store, "run", lambda work: (_ for _ in ()).throw(KeyboardInterrupt))
        archive(filed.store, filed.chain, TOMORROW, "ada", "old")
    assert filed.verify().is_whole
    filed.fill(3)
    archive(filed.store, filed.chain, TOMORROW, "ada", "old")

    found = filed.verify()
    assert found.is_whole and found.archived == 15, told(found)


def test_a_trail_that_was_changed_is_put_aside_and_the_new_one_says_so(trail: Trail) -> None:
    trail.fill(12)
    with trail.store.transaction() as connection:
        connection.exec_driver_sql("UPDATE audit_head SET seq = 5")
    with pytest.raises(AuditUnavailable, match=r"`sophia audit restart` puts it aside"):
        trail.audit.record(ADA, "ask", "x", "allowed")
    old = restart(trail.store, trail.chain, "ada", "looked into by bob", 3)
    trail.fill(2)

    found = verify(trail.store, trail.chain)
    assert found.is_whole and found.entries == 3, told(found)
    assert "put aside" in found.notes[0] and "by ada: looked into by bob" in found.notes[0]
    first = trail.audit.tail()[-1]
    assert first.action == "audit.restart" and first.details["put_aside"] == old and first.details["findings"] == 3
    kept = trail.folder / "audit" / old[0] / "put-aside.jsonl"
    assert len(kept.read_text().splitlines()) == 12


def test_a_forged_end_of_a_trail_is_none(filed: Trail) -> None:
    filed.fill(12)
    filed.close()
    chain = next((filed.folder / "audit").iterdir())
    change(filed, "DELETE FROM audit", "DELETE FROM audit_head")
    (chain / "ended.json").write_text(
        f'{{"chain": "{chain.name}", "at": "2026-01-01", "by": "eve", "reason": "x", "key_id": "y", "seal": "z"}}'
    )

    assert "a trail of 12 entries" in told(filed.verify())
