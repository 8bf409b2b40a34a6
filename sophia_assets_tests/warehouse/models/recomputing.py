"""Short ways to compute in pandas what the models compute in SQL, and to compare the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sophia_assets_tests.warehouse.models.loaded_company import ZONE, Tables


def business_day(moments: pd.Series) -> pd.Series:
    """The business day of naive UTC moments, as midnights."""
    local = pd.to_datetime(moments).dt.tz_localize("UTC").dt.tz_convert(ZONE)
    return local.dt.tz_localize(None).dt.normalize().astype("datetime64[us]")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame, as dicts by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def account_names(tables: Tables) -> dict[str, str]:
    """The CRM's names by company id."""
    return {row["company_id"]: row["name"].strip() for row in records(tables.raw("hubspot.companies"))}


def assert_same(found: pd.DataFrame, expected: pd.DataFrame, key: Sequence[str], *, places: int = 4) -> None:
    """Both hold the same rows; only `expected`'s columns are compared, numbers to that many decimal places."""
    columns = list(expected.columns)
    ordered = [_plain(frame[columns]).sort_values(list(key)).reset_index(drop=True) for frame in (found, expected)]
    assert len(ordered[0]) == len(ordered[1]), f"{len(found)} rows instead of {len(expected)}"
    pd.testing.assert_frame_equal(ordered[0], ordered[1], check_dtype=False, rtol=0, atol=0.6 * 10**-places)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as floats, days and moments as `datetime64[us]`, missing values alike."""
    plain: dict[str, Any] = {}
    for name, column in ((str(name), column) for name, column in frame.items()):
        if pd.api.types.is_datetime64_any_dtype(column):
            plain[name] = column.astype("datetime64[us]")
        elif pd.api.types.is_bool_dtype(column):
            plain[name] = column.astype(object)
        elif pd.api.types.is_numeric_dtype(column):
            plain[name] = column.astype(float)
        else:
            plain[name] = column.astype(object).where(column.notna(), None)
    return pd.DataFrame(plain)
