"""Who launched a run, and what it runs under: told by tags, so that one look at a run says both."""

from __future__ import annotations

from contextlib import suppress

import dagster as dg
from dagster._core.storage.tags import BACKFILL_ID_TAG, PARENT_RUN_ID_TAG, SCHEDULE_NAME_TAG, SENSOR_NAME_TAG

from sophia_assets.control.flags import summary
from sophia_assets.errors import ControlStoreUnavailable
from sophia_assets.services import Services

FLAGS_TAG = "sophia/flags"
LAUNCHED_BY_TAG = "sophia/launched_by"
PROCESS_TAG = "sophia/process"
MACHINE_TAG = "sophia/machine"
MAX_RUNTIME_TAG = "dagster/max_runtime"

# A failed run is not for Dagster to try again: the circuit's sensor asks again, when it is time.
NO_RETRIES = {"dagster/retry_on_asset_or_op_failure": "false"}


def is_by_the_clock(run: dg.DagsterRun) -> bool:
    """Whether a schedule or a sensor launched the run, and nobody waits for it.

    A run that somebody executes again, or a backfill, has somebody who wants to hear at once.
    """
    tags = run.tags
    launched = SCHEDULE_NAME_TAG in tags or SENSOR_NAME_TAG in tags
    return launched and BACKFILL_ID_TAG not in tags and PARENT_RUN_ID_TAG not in tags


def flag_tags(services: Services) -> dict[str, str]:
    """The tag that says which flags are in force, for a run that is about to begin."""
    return {FLAGS_TAG: summary(services.flags.snapshot())}


def tag_with_flags(context: dg.AssetExecutionContext, services: Services) -> None:
    """Tells the run which flags are in force, unless it was told at its launch."""
    if FLAGS_TAG in context.run.tags:
        return
    run = context.instance.get_run_by_id(context.run.run_id)
    # Where the store cannot be read, the guard says so.
    with suppress(ControlStoreUnavailable):
        if run is not None and FLAGS_TAG not in run.tags:
            context.instance.add_run_tags(run.run_id, flag_tags(services))
