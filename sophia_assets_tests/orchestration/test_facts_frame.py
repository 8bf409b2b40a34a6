"""The type of the facts' frame: it lets good frames through and says what is wrong with bad ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from sophia_assets.metrics.facts_frame import facts_from_frame, facts_to_frame
from sophia_assets.orchestration.fact_assets import FactsFrame
from sophia_assets_tests.insight.sample_facts import sample_request


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return facts_to_frame(sample_request().facts)


def checked(frame: Any) -> dg.TypeCheck:
    return dg.check_dagster_type(FactsFrame, frame)


def test_a_frame_of_real_facts_passes_and_gives_the_facts_back(frame: pd.DataFrame) -> None:
    assert checked(frame).success
    facts = facts_from_frame(frame)
    assert list(facts) == list(sample_request().facts)


def test_an_empty_frame_passes(frame: pd.DataFrame) -> None:
    assert checked(frame.iloc[:0]).success


@pytest.mark.parametrize(
    ("spoil", "column"),
    [
        (lambda frame: frame.assign(value=np.nan), "value"),
        (lambda frame: frame.assign(value="much"), "value"),
        (lambda frame: frame.assign(id="same"), "id"),
        (lambda frame: frame.assign(unit="furlongs"), "unit"),
        (lambda frame: frame.assign(direction="sideways"), "direction"),
        (lambda frame: frame.drop(columns="query_hash"), "query_hash"),
        (lambda frame: frame.assign(fact=None), "fact"),
    ],
    ids=["no value", "text as value", "repeated id", "unknown unit", "unknown direction", "no query", "no fact"],
)
def test_a_bad_frame_is_refused_and_the_column_is_named(
    frame: pd.DataFrame, spoil: Callable[[pd.DataFrame], pd.DataFrame], column: str
) -> None:
    refused = checked(spoil(frame))
    assert not refused.success
    assert column in str(refused.description)


def test_something_that_is_no_frame_is_refused() -> None:
    assert not checked([{"id": "a"}]).success
