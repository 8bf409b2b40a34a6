"""The limiter lets through what the vendor allows, learns from its headers, and is one per account and machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.ingestion import limit_state
from sophia_assets.ingestion.limiter import Limiters, RateLimiter
from sophia_assets.ingestion.waiting import WaitEnded, waits_end_with
from sophia_assets_tests.ingestion.limited_server import limited_server

HOUR = timedelta(hours=1)


def _moments(limiter: RateLimiter, count: int, threads: int = 1) -> list[float]:
    """When each of `count` requests was let through, from the first on."""

    def one(_: int) -> float:
        limiter.acquire()
        return time.monotonic()

    with ThreadPoolExecutor(threads) as pool:
        moments = sorted(pool.map(one, range(count)))
    return [moment - moments[0] for moment in moments]


def _free_now(limiter: RateLimiter, most: int = 50) -> int:
    """How many requests the limiter lets through without a wait."""
    free = 0
    while free < most and limiter.acquire(longest=0.0) == 0.0:
        free += 1
    return free


@pytest.fixture(params=["memory", "file"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "a.limit" if request.param == "file" else None


def test_no_window_holds_more_than_the_limit_even_with_many_threads(file: Path | None) -> None:
    moments = _moments(RateLimiter(3, 0.1, file=file), 12, threads=6)

    # A thread may be late to look at the clock, never early: a small allowance for that.
    assert all(later - earlier > 0.08 for earlier, later in zip(moments, moments[3:], strict=False))


def test_a_pause_holds_everybody_back(file: Path | None) -> None:
    limiter = RateLimiter(100, 1.0, file=file)
    limiter.pause(0.2)
    before = time.monotonic()
    limiter.acquire()

    assert time.monotonic() - before >= 0.2


def test_a_wait_that_is_too_long_is_told_and_nothing_counted() -> None:
    limiter = RateLimiter(2, 60.0)
    limiter.pause(7200)
    assert 7100 < limiter.acquire(longest=90) <= 7200
    limiter.lift()

    assert _free_now(limiter) == 2


def test_a_higher_limit_is_learned(file: Path | None) -> None:
    limiter = RateLimiter(1, 60.0, file=file)
    limiter.acquire()
    limiter.learn(limit=50, seconds=10.0, remaining=49)

    assert _free_now(limiter) == 49


def test_what_others_on_the_account_used_is_left_to_them(file: Path | None) -> None:
    limiter = RateLimiter(10, 60.0, file=file)
    limiter.acquire()
    limiter.learn(limit=10, seconds=60.0, remaining=1)

    assert _free_now(limiter) == 1


def test_figures_that_make_no_sense_are_not_learned() -> None:
    limiter = RateLimiter(5, 60.0)
    limiter.learn(limit=0, seconds=10, remaining=-1)
    limiter.learn(limit=5, seconds=-1)

    assert _free_now(limiter) == 5


def test_a_fixed_window_lets_through_what_remains_until_its_reset(file: Path | None) -> None:
    limiter = RateLimiter(2500, 3600.0, file=file)
    limiter.learn(remaining=3, resets_at=datetime.now(UTC) + HOUR)

    assert _free_now(limiter) == 3
    assert 3500 < limiter.acquire(longest=90) <= 3600


def test_after_its_reset_a_fixed_window_is_whole_again(file: Path | None) -> None:
    limiter = RateLimiter(4, 3600.0, file=file)
    assert _free_now(limiter) == 4
    limiter.learn(remaining=0, resets_at=datetime.now(UTC) + timedelta(seconds=0.2))
    limiter.acquire()

    assert _free_now(limiter) == 3


def test_answers_that_come_late_do_not_raise_a_fixed_windows_budget() -> None:
    limiter = RateLimiter(100, 3600.0)
    reset = datetime.now(UTC) + HOUR
    limiter.learn(remaining=5, resets_at=reset)
    limiter.learn(remaining=40, resets_at=reset)

    assert _free_now(limiter) == 5


def test_costs_are_counted_and_corrected_by_what_the_answer_says() -> None:
    limiter = RateLimiter(1000, 3600.0)
    assert limiter.acquire(400) == 0
    limiter.correct(by=500)
    assert limiter.acquire(200, longest=0) > 0
    limiter.correct(by=-800)

    assert limiter.acquire(800) == 0


def test_what_costs_more_than_the_limit_goes_alone() -> None:
    limiter = RateLimiter(10, 3600.0)

    assert limiter.acquire(50) == 0
    assert limiter.acquire(1, longest=0) > 0


def test_a_wait_is_ended_by_its_event() -> None:
    limiter, ended = RateLimiter(1, 3600.0), threading.Event()
    limiter.acquire()

    def waiting() -> None:
        with waits_end_with(ended):
            limiter.acquire()

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(waiting) for _ in range(2)]
        ended.set()
        for one in both:
            with pytest.raises(WaitEnded):
                one.result(10)


def test_an_account_has_one_limiter_and_another_account_another() -> None:
    limiters = Limiters()
    first = limiters.account("shop", "https://a.example", "token").limiter("requests", requests=3, seconds=1)

    account = limiters.account("shop", "https://a.example", "token")
    assert account.limiter("requests", requests=3, seconds=1) is first
    assert account.limiter("search", requests=3, seconds=1) is not first
    other = limiters.account("shop", "https://a.example", "other")
    assert other.limiter("requests", requests=3, seconds=1) is not first


def test_processes_together_stay_inside_the_limit_that_the_server_enforces(tmp_path: Path) -> None:
    with limited_server(25, 0.5) as server:
        command = [sys.executable, "-m", "sophia_assets_tests.ingestion.limited_server", str(tmp_path), server.url]
        # Requests may take a while on a busy machine, so they are spread over more than the server's interval.
        workers = [subprocess.Popen([*command, "50", "25", "0.8"]) for _ in range(4)]
        assert [worker.wait(60) for worker in workers] == [0] * 4

    assert (len(server.arrivals), server.refused) == (200, 0)


def test_processes_together_get_exactly_what_is_allowed(tmp_path: Path) -> None:
    limiter = RateLimiter(500, 3600.0, file=tmp_path / "a.limit")
    children = []
    for _ in range(4):
        ear, mouth = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(mouth, str(_free_now(limiter, most=1000)).encode())
            os._exit(0)
        os.close(mouth)
        children.append((child, ear))
    taken = []
    for child, ear in children:
        assert os.waitpid(child, 0)[1] == 0
        taken.append(int(os.read(ear, 10)))
        os.close(ear)

    assert sum(taken) == 500


def test_another_process_sees_a_pause_and_what_was_used(tmp_path: Path) -> None:
    mine = RateLimiter(5, 3600.0, file=tmp_path / "a.limit")
    mine.acquire()
    mine.learn(limit=5, seconds=3600.0, remaining=3)
    theirs = RateLimiter(5, 3600.0, file=tmp_path / "a.limit")
    assert _free_now(theirs) == 3
    mine.pause(7200)

    assert theirs.acquire(longest=90) > 7000


def test_a_forked_child_shares_the_limit_and_not_the_lock(tmp_path: Path) -> None:
    limiter = RateLimiter(2, 3600.0, file=tmp_path / "a.limit")
    limiter.acquire()
    child = os.fork()
    if child == 0:
        os._exit(0 if limiter.acquire(longest=0.0) == 0.0 else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert limiter.acquire(longest=0.0) > 0


@pytest.mark.parametrize("content", [b"", b"short", os.urandom(limit_state._LAYOUT.size), b"\xff" * 10_000])
def test_a_damaged_file_starts_afresh(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.limit").write_bytes(content)

    assert _free_now(RateLimiter(7, 3600.0, file=tmp_path / "a.limit")) == 7


def test_a_file_that_is_damaged_while_in_use_starts_afresh(tmp_path: Path) -> None:
    limiter = RateLimiter(7, 3600.0, file=tmp_path / "a.limit")
    limiter.acquire()
    os.truncate(tmp_path / "a.limit", 10)

    assert _free_now(limiter) == 7


def test_another_declared_limit_starts_afresh_and_keeps_the_pause(tmp_path: Path) -> None:
    before = RateLimiter(7, 3600.0, file=tmp_path / "a.limit")
    before.acquire()
    before.pause(7200)
    after = RateLimiter(9, 3600.0, file=tmp_path / "a.limit")
    assert after.acquire(longest=90) > 7000
    after.lift()

    assert _free_now(after) == 9


def _as_after_a_reboot(monkeypatch: pytest.MonkeyPatch, *, away: float) -> None:
    """The machine's clock starts anew; `away` seconds have passed by the time of day."""
    began, wall = time.monotonic(), time.time()
    monkeypatch.setattr(limit_state, "now", lambda: 5.0 + time.monotonic() - began)
    monkeypatch.setattr("sophia_assets.ingestion.limiter.now", limit_state.now)
    monkeypatch.setattr("time.time", lambda: wall + away + time.monotonic() - began)
    monkeypatch.setattr(limit_state, "_boot_id", b"another.")


@pytest.mark.parametrize(("away", "left", "free"), [
    (600.0, 6600, 3),
    (-9000.0, 7200, 3),
    (7300.0, 0, 5),
])  # fmt: skip
def test_a_pause_and_a_count_survive_a_reboot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: float, left: float, free: int
) -> None:
    limiter = RateLimiter(5, 3600.0, file=tmp_path / "a.limit")
    limiter.acquire()
    limiter.acquire()
    limiter.pause(7200)
    _as_after_a_reboot(monkeypatch, away=away)
    again = RateLimiter(5, 3600.0, file=tmp_path / "a.limit")

    assert again.acquire(2, longest=0.0) == pytest.approx(left, abs=30)
    again.lift()
    # Where nothing was to be waited for, two have just been let through.
    again.correct(by=-2 if left == 0 else 0)
    assert _free_now(again) == free


def test_a_time_of_day_that_is_set_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = RateLimiter(5, 3600.0, file=tmp_path / "a.limit")
    limiter.acquire()
    monkeypatch.setattr("time.time", lambda: 12.0)

    assert _free_now(limiter) == 4


def test_a_folder_that_cannot_be_written_is_told_once_and_limits_hold_in_the_process(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("a file, not a folder")
    limiters = Limiters(tmp_path / "limits")
    account = limiters.account("shop", "https://a.example", "token")
    made = [account.limiter(name, requests=2, seconds=3600) for name in ("requests", "search")]

    assert [_free_now(limiter) for limiter in made] == [2, 2]
    (warning,) = limiters.warnings
    assert "within this process only" in warning


def test_the_secret_is_in_no_file_name(tmp_path: Path) -> None:
    limiters = Limiters(tmp_path)
    limiters.account("shop", "https://a.example", "canary").limiter("requests", requests=1, seconds=1).acquire()

    (found,) = tmp_path.iterdir()
    assert found.name.startswith("shop-") and "canary" not in found.name
    assert b"canary" not in found.read_bytes()


def test_lifting_a_systems_pauses_lets_its_limits_go_on(tmp_path: Path) -> None:
    limiters = Limiters(tmp_path)
    limiter = limiters.account("shop", "https://a.example", "t").limiter("requests", requests=1, seconds=1)
    limiter.pause(7200)
    Limiters(tmp_path).lift("shop")

    assert limiter.acquire(longest=1.0) == 0


def test_files_that_nobody_has_used_for_a_week_are_removed(tmp_path: Path) -> None:
    limiters = Limiters(tmp_path)
    for address in ("https://a.example", "https://b.example"):
        limiters.account("shop", address, "t").limiter("requests", requests=1, seconds=1).acquire()
    old, recent = sorted(tmp_path.iterdir())
    os.utime(old, (0, 0))

    Limiters(tmp_path).account("other", "https://c.example", "t").limiter("requests", requests=1, seconds=1)

    assert not old.exists() and recent.exists()


def test_a_file_that_was_removed_while_in_use_is_shared_anew(tmp_path: Path) -> None:
    file = tmp_path / "shop.limit"
    first = RateLimiter(10, 60, file=file)
    first.acquire()
    file.unlink()
    second = RateLimiter(10, 60, file=file)
    first.pause(30)

    assert second.acquire(longest=1) > 0
