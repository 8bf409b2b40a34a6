"""Flags on both stores: read anew each time, changed with who and why, taken back at once, safe where unreadable."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.control import actions
from sophia_assets.control.flag_names import declared_flags
from sophia_assets.control.flags import Flags, FlagState, summary
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import ConfigurationError, ControlStoreUnavailable, SophiaError
from sophia_assets.sources import registry

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LIVE = dict.fromkeys(registry.SYSTEMS, "live")


class Clock:
    """A clock that moves on by a minute with each look."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture
def flags(store: ControlStore) -> Flags:
    return Flags(store, clock=Clock())


def nothing_against(_: FlagState) -> list[str]:
    return []


def test_every_flag_has_its_default_until_it_is_set(flags: Flags) -> None:
    assert all(flags.get(name) == flag.default for name, flag in declared_flags().items())
    assert flags.shares(LIVE).partial() == {}
    assert flags.snapshot()["gong.rollout"] == "100"


def test_a_value_counts_for_every_other_store_object_at_its_next_look(flags: Flags, store_url: str) -> None:
    other = ControlStore(store_url)
    elsewhere = Flags(other)
    assert elsewhere.get("gong.rollout") == 100
    flags.set("gong.rollout", "10", "ada", "first step")
    flags.set("slack.enabled", "off", "ada", "rate limits")
    assert elsewhere.get("gong.rollout") == 10
    assert not elsewhere.is_on("slack.enabled")
    other.close()


def test_a_rollback_is_seen_by_another_process_at_its_next_evaluation(flags: Flags, store_url: str) -> None:
    flags.set("gong.rollout", 50, "ada", "second step")
    code = (
        "import sys\n"
        "from sophia_assets.control.flags import Flags\n"
        "from sophia_assets.control.store import ControlStore\n"
        "flags = Flags(ControlStore(sys.argv[1]))\n"
        "for _ in sys.stdin:\n"
        "    print(flags.get('gong.rollout'), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        for action in (lambda: None, lambda: flags.rollback("gong.rollout", "ada", "wrong figures")):
            action()
            process.stdin.write("\n")
            process.stdin.flush()
            seen = process.stdout.readline().strip()
        process.stdin.close()
    assert seen == "0"


def test_a_change_says_who_why_when_and_from_what_to_what(flags: Flags) -> None:
    flags.set("gong.rollout", "10%", "ada", "first\n step")
    flags.set("gong.rollout", 50, "bob", "all is well")
    newest, oldest = flags.history("gong.rollout")
    assert (oldest.before, oldest.after, oldest.by, oldest.reason) == (100, 10, "ada", "first step")
    assert (newest.before, newest.after, newest.by, newest.at) == (10, 50, "bob", START + timedelta(minutes=2))
    state = flags.states()["gong.rollout"]
    assert (state.value, state.since, state.by, state.reason) == (50, newest.at, "bob", "all is well")


def test_every_change_is_among_the_operators_actions(flags: Flags, store: ControlStore) -> None:
    flags.set("gong.rollout", 10, "ada", "first step")
    flags.promote("gong", "bob", "second step", nothing_against)
    flags.rollback("gong.rollout", "cy", "wrong figures")
    told = [(deed.actor, deed.action, deed.target, deed.details["after"]) for deed in actions.tail(store)]
    assert told == [
        ("cy", "flag.rollback", "gong.rollout", "10"),
        ("bob", "flag.promote", "gong.rollout", "50"),
        ("ada", "flag.set", "gong.rollout", "10"),
    ]


def test_setting_what_is_already_so_changes_and_records_nothing(flags: Flags, store: ControlStore) -> None:
    flags.set("gong.enabled", "off", "ada", "limits")
    change = flags.set("gong.enabled", "off", "bob", "limits")
    assert not change.is_one
    assert [deed.actor for deed in actions.tail(store)] == ["ada"]
    assert flags.rollback("gong.enabled", "cy", "limits are back").after is True


@pytest.mark.parametrize(
    ("name", "value", "by", "reason", "told"),
    [
        ("gong.rolout", "10", "ada", "why", "there is no flag 'gong.rolout'. Did you mean gong.rollout?"),
        ("gong.rollout", "101", "ada", "why", "from 0 to 100"),
        ("gong.rollout", "-1", "ada", "why", "from 0 to 100"),
        ("gong.rollout", "9.5", "ada", "why", "whole number of percent"),
        ("gong.rollout", "half", "ada", "why", "cannot be 'half'"),
        ("gong.rollout", "00500", "ada", "why", "from 0 to 100"),
        ("gong.rollout", "٣", "ada", "why", "from 0 to 100"),
        ("gong.rollout", "on", "ada", "why", "from 0 to 100"),
        ("gong.enabled", "10", "ada", "why", "on or off"),
        ("gong.enabled", "", "ada", "why", "on or off"),
        ("gong.rollout", "10", "ada", "", "a reason was not given"),
        ("gong.rollout", "10", "ada", " \n ", "a reason was not given"),
        ("gong.rollout", "10", "", "why", "who does this was not given"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_changes_nothing(
    flags: Flags, store: ControlStore, name: str, value: str, by: str, reason: str, told: str
) -> None:
    before = flags.states()
    with pytest.raises(ConfigurationError) as caught:
        flags.set(name, value, by, reason)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert flags.states() == before
    assert actions.tail(store) == []


def test_a_rollout_is_promoted_by_steps_to_the_end_and_no_further(flags: Flags) -> None:
    flags.set("gong.rollout", 0, "ada", "from the beginning")
    steps = [flags.promote("gong", "ada", "next step", nothing_against).after for _ in range(3)]
    assert steps == [10, 50, 100]
    with pytest.raises(ConfigurationError, match="at 100 % already"):
        flags.promote("gong", "ada", "next step", nothing_against)


def test_promotion_is_refused_with_everything_that_speaks_against_it(flags: Flags) -> None:
    flags.set("gong.rollout", 10, "ada", "first step")
    with pytest.raises(SophiaError, match="stays at 10 %: checks fail; its circuit is open"):
        flags.promote("gong", "ada", "next", lambda _: ["checks fail", "its circuit is open"])
    assert flags.get("gong.rollout") == 10


def test_a_switch_has_no_steps(flags: Flags) -> None:
    with pytest.raises(ConfigurationError, match="is a switch"):
        flags.promote("gong.enabled", "ada", "next", nothing_against)


def test_two_who_promote_at_once_make_one_step(flags: Flags) -> None:
    flags.set("gong.rollout", 10, "ada", "first step")

    def another_is_faster(_: FlagState) -> list[str]:
        flags.promote("gong", "bob", "next", nothing_against)
        return []

    with pytest.raises(SophiaError, match="changed to 50 % by bob meanwhile"):
        flags.promote("gong", "ada", "next", another_is_faster)
    assert flags.get("gong.rollout") == 50


def test_a_promotion_does_not_undo_a_rollback_that_came_meanwhile(flags: Flags) -> None:
    flags.set("gong.rollout", 10, "ada", "first step")

    def taken_back(_: FlagState) -> list[str]:
        flags.rollback("gong", "bob", "wrong figures")
        return []

    with pytest.raises(SophiaError, match="meanwhile"):
        flags.promote("gong", "ada", "next", taken_back)
    assert flags.get("gong.rollout") == 0


@pytest.mark.parametrize(
    ("had", "goes_to"),
    [
        ([], [0]),
        ([10], [0]),
        ([10, 50], [10, 0]),
        ([0, 10, 50, 100], [50, 10, 0]),
        ([50, 10], [0]),
        ([10, 50, 20], [10, 0]),
    ],
)
def test_rolling_a_rollout_back_only_ever_narrows_it(flags: Flags, had: list[int], goes_to: list[int]) -> None:
    for percent in had:
        flags.set("gong.rollout", percent, "ada", "step")
    assert [flags.rollback("gong.rollout", "ada", "wrong figures").after for _ in goes_to] == goes_to
    with pytest.raises(ConfigurationError, match="at 0 % already"):
        flags.rollback("gong.rollout", "ada", "again")


def test_a_switch_is_rolled_back_once(flags: Flags) -> None:
    flags.set("enable_real_data", "off", "ada", "an incident")
    assert flags.rollback("enable_real_data", "ada", "it is over").after is True
    with pytest.raises(ConfigurationError, match="was rolled back by ada: there is nothing to take back"):
        flags.rollback("enable_real_data", "ada", "again")


def test_a_switch_that_was_never_changed_cannot_be_rolled_back(flags: Flags) -> None:
    with pytest.raises(ConfigurationError, match="was never changed"):
        flags.rollback("gong.enabled", "ada", "why not")


def test_changes_by_many_at_once_are_all_kept_one_after_another(flags: Flags, store: ControlStore) -> None:
    ready = threading.Barrier(8)

    def operate(number: int) -> None:
        ready.wait()
        for percent in range(5):
            flags.set("gong.rollout", number * 10 + percent, f"operator {number}", "a race")

    threads = [threading.Thread(target=operate, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = flags.history("gong.rollout")[::-1]
    assert len(history) == len(actions.tail(store, 100)) == 40
    assert [change.before for change in history] == [100, *(change.after for change in history[:-1])]
    assert flags.get("gong.rollout") == history[-1].after


@pytest.mark.parametrize(("switch", "taken_back"), [("enable_real_data", "live"), ("enable_mock_data", "sandbox")])
def test_switching_a_kind_of_data_off_takes_all_its_systems_back(flags: Flags, switch: str, taken_back: str) -> None:
    modes = {"gong": "live", "slack": "sandbox", "redis": "off"}
    flags.set(switch, "off", "ada", "an incident")
    shares = flags.shares(modes)
    assert {system for system, mode in modes.items() if shares.of(system) == 0} == {
        system for system, mode in modes.items() if mode == taken_back
    }
    assert [bool(flags.why_not_read(system, modes[system])) for system in ("gong", "slack")] == [
        taken_back == "live",
        taken_back == "sandbox",
    ]


def test_a_system_that_is_switched_off_is_served_as_before(flags: Flags) -> None:
    flags.set("gong.enabled", "off", "ada", "maintenance")
    assert flags.why_not_read("gong", "live") == "gong.enabled"
    assert flags.why_not_read("slack", "live") == ""
    assert flags.shares(LIVE).of("gong") == 100


def test_the_order_of_providers_sticks_to_a_conversation_and_shifts_by_the_share(flags: Flags) -> None:
    keys = [f"conversation-{number}" for number in range(200)]
    flags.set("anthropic.rollout", 10, "ada", "first step")
    first = {key: flags.preferred_providers(key) for key in keys}
    assert first == {key: flags.preferred_providers(key) for key in keys}
    chosen = {key for key in keys if first[key][0] == "anthropic"}
    assert set(first.values()) == {("anthropic", "openai"), ("openai", "anthropic")}
    flags.set("anthropic.rollout", 50, "ada", "second step")
    assert chosen < {key for key in keys if flags.preferred_providers(key)[0] == "anthropic"}


def test_a_provider_that_was_taken_back_is_not_asked(flags: Flags) -> None:
    flags.set("anthropic.rollout", 0, "ada", "costs")
    assert flags.preferred_providers("any") == ("openai",)


def test_a_summary_names_what_differs_from_the_defaults(flags: Flags) -> None:
    plain = summary(flags.snapshot())
    flags.set("gong.rollout", 10, "ada", "first step")
    flags.set("enable_caching", "off", "ada", "stale answers")
    changed = summary(flags.snapshot())
    assert plain.endswith(" defaults")
    assert changed.split()[1:] == ["enable_caching=off", "gong.rollout=10"]
    assert changed.split()[0] != plain.split()[0]


@pytest.fixture(params=["no database", "no table"])
def unreadable(request: pytest.FixtureRequest, tmp_path: Path) -> Flags:
    """Flags over a store that cannot be read, from the start or no longer."""
    path = tmp_path / "broken.db"
    flags = Flags(ControlStore.at(path))
    if request.param == "no database":
        path.write_bytes(b"this is no database, " * 1_000)
    else:
        from sqlalchemy import text

        with flags.store.transaction() as connection:
            connection.execute(text("DROP TABLE flags"))
    return flags


def test_a_store_that_cannot_be_read_keeps_every_system_from_being_read(
    unreadable: Flags, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert not unreadable.is_on("enable_caching")
        assert unreadable.why_not_read("gong", "live") == "gong.enabled"
    assert "gong.enabled counts as off" in caplog.text


READS: list[Callable[[Flags], object]] = [lambda flags: flags.get("gong.rollout"), lambda flags: flags.shares(LIVE)]


@pytest.mark.parametrize("read", READS)
def test_which_share_is_served_is_not_guessed_where_the_store_cannot_be_read(
    unreadable: Flags, read: Callable[[Flags], object]
) -> None:
    with pytest.raises((ControlStoreUnavailable, ConfigurationError)):
        read(unreadable)


def test_no_provider_is_asked_where_the_store_cannot_be_read(unreadable: Flags) -> None:
    assert unreadable.preferred_providers("any") == ()
