"""Dagster's PostgreSQL storage, with connections that stay open.

Dagster's own opens several for each of a run's two thousand events; only its webserver keeps one. Here every process
does. A connection that the server has dropped is noticed before it is used.
"""

from __future__ import annotations

from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import create_pg_engine, pg_url_from_config
from sqlalchemy.engine import Engine

_SPARE_CONNECTIONS = 10
_RENEWED_AFTER_SECONDS = 1800


class PooledPostgresStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage`; the three storages share one pool."""

    def __init__(
        self, postgres_url: str, should_autocreate_tables: bool = True, inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        pooled: Engine = create_pg_engine(
            postgres_url,
            isolation_level="AUTOCOMMIT",
            pool_size=1,
            max_overflow=_SPARE_CONNECTIONS,
            pool_recycle=_RENEWED_AFTER_SECONDS,
            pool_pre_ping=True,
        )
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = pooled

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> PooledPostgresStorage:
        """See `DagsterPostgresStorage`."""
        return cls(pg_url_from_config(config_value), config_value.get("should_autocreate_tables", True), inst_data)
