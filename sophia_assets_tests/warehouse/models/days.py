"""Days as the models have them."""

from __future__ import annotations

import pandas as pd

from sophia_assets_tests.warehouse.models.loaded_company import ZONE


def local_day(moments: pd.Series) -> pd.Series:
    """The day of each moment (naive UTC) in the business time zone, as a frame of a model has it."""
    local = moments.dt.tz_localize("UTC").dt.tz_convert(ZONE)
    days: pd.Series = local.dt.normalize().dt.tz_localize(None).astype("datetime64[ms]")
    return days
