"""Resources: what assets and ops are given to work with."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from sophia_assets.encryption.files import facts_context, facts_file
from sophia_assets.home import write_bytes_atomically
from sophia_assets.orchestration.run_log import joined_to
from sophia_assets.services import Services

if TYPE_CHECKING:
    import pandas as pd


@dg.resource(description="Settings, warehouse, systems and the validation worker of the home that was last run.")
def services_resource(context: dg.InitResourceContext) -> Iterator[Services]:
    """Services for one run, closed at its end."""
    run = context.run
    with joined_to(context.log, run_id=context.run_id, job=run.job_name if run else None):
        services = Services.from_environment()
        try:
            yield services
        finally:
            services.close()


class FactsIOManager(dg.IOManager):
    """Keeps a day's facts as one Parquet file under the home."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame) -> None:
        """Writes the frame so that a reader sees the old file or the new one."""
        path = self._path(context.partition_key)
        content = BytesIO()
        obj.to_parquet(content, index=False)
        write_bytes_atomically(path, self._services.vault.seal(content.getvalue(), facts_context(path)))

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        """Reads the frame of the same day."""
        import pandas as pd

        path = self._path(context.partition_key)
        if not path.exists():
            raise dg.Failure(
                f"The facts of {context.partition_key} have not been computed. Materialize insight/facts together with "
                "the briefing, or run the daily_briefing job for that day.",
                allow_retries=False,
            )
        return pd.read_parquet(facts_file(self._services.vault, path))

    def _path(self, day: str) -> Path:
        return self._services.home.path / "facts" / f"{day}.parquet"


@dg.io_manager(required_resource_keys={"services"}, description="Facts as Parquet files under the home, one a day.")
def facts_io_manager(context: dg.InitResourceContext) -> FactsIOManager:
    """The manager for the home of the run's services."""
    return FactsIOManager(context.resources.services)
