"""What has to hold before a rollout goes a step further."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.control.breaker import Failure, State
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.flags import Flags
from sophia_assets.control.promotion import PromotionGate
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import SophiaError

STEP = datetime(2026, 3, 10, 9, tzinfo=UTC)
NOT_FOUND = Failure("validation", "an answer that the contract does not allow")


class Operators:
    """Flags and circuits of one store, on a clock that is moved by hand."""

    def __init__(self, path: Path) -> None:
        self.now = STEP
        store = ControlStore.at(path)
        self.flags = Flags(store, clock=lambda: self.now)
        self.circuits = Circuits(store, clock=lambda: self.now, jitter=lambda: 0.0)
        self.failing: Collection[str] = ()
        self.loaded: datetime | None = STEP + timedelta(days=1)

    def calls(self, at: datetime, *, failed: int = 0, went_well: int = 0) -> None:
        self.now = at
        for _ in range(failed):
            self.circuits.failed("gong", NOT_FOUND)
        for _ in range(went_well):
            self.circuits.succeeded("gong")

    def promote(self, name: str = "gong") -> int:
        self.now = STEP + timedelta(days=2)
        gate = PromotionGate(self.circuits, lambda _: self.failing, lambda _: self.loaded, lambda: self.now)
        return int(self.flags.promote(name, "ada", "next step", gate).after)


@pytest.fixture
def operators(tmp_path: Path) -> Operators:
    """With Gong served for 10 % since the step."""
    made = Operators(tmp_path / "control.db")
    made.flags.set("gong.rollout", 10, "ada", "first step")
    return made


def test_it_goes_on_where_nothing_speaks_against_it(operators: Operators) -> None:
    assert operators.promote() == 50


def test_failing_checks_keep_it_and_the_first_are_named(operators: Operators) -> None:
    operators.failing = [f"gong.calls.rule_{number}" for number in range(5)]
    with pytest.raises(SophiaError, match=r"checks fail \(gong.calls.rule_0, .*rule_2 and 2 more\)"):
        operators.promote()
    assert operators.flags.get("gong.rollout") == 10


@pytest.mark.parametrize("loaded", [None, STEP - timedelta(hours=1)])
def test_a_step_that_no_load_has_tried_yet_is_not_followed_by_another(
    operators: Operators, loaded: datetime | None
) -> None:
    operators.loaded = loaded
    with pytest.raises(SophiaError, match=r"not all of its tables have .*been loaded"):
        operators.promote()


def test_promoting_twice_needs_a_load_in_between(operators: Operators) -> None:
    operators.promote()
    with pytest.raises(SophiaError, match="since the last step"):
        operators.promote()
    assert operators.flags.get("gong.rollout") == 50


def test_an_open_circuit_keeps_it(operators: Operators) -> None:
    for _ in range(5):
        operators.circuits.failed("gong", Failure("connection", "no answer"))
    with pytest.raises(SophiaError, match="its circuit is open since"):
        operators.promote()


def test_a_circuit_that_was_forced_open_keeps_it(operators: Operators) -> None:
    operators.circuits.force("gong", State.OPEN, "bob", "maintenance")
    with pytest.raises(SophiaError, match="forced open by bob"):
        operators.promote()


@pytest.mark.parametrize(("failed", "is_promoted"), [(5, True), (6, False)])
def test_errors_may_grow_by_less_than_a_point(operators: Operators, failed: int, is_promoted: bool) -> None:
    operators.calls(STEP - timedelta(days=1), failed=1, went_well=19)  # 5 % before
    operators.calls(STEP + timedelta(days=1), failed=failed, went_well=100 - failed)
    if is_promoted:
        assert operators.promote() == 50
    else:
        with pytest.raises(SophiaError, match=r"6\.0% of its loads failed since the last step, 5\.0% before"):
            operators.promote()


def test_a_provider_is_judged_by_its_circuit_and_its_errors_alone(operators: Operators) -> None:
    operators.loaded = None
    operators.flags.set("anthropic.rollout", 10, "ada", "first step")
    assert operators.promote("anthropic") == 50
