"""The desk: where every reader is given what it may see, whichever way it came.

Belongs here: the order in which data is given out: who may see it, the record of it, then the data. Does not belong
here: the rules (`access.policies`), the record itself (`access.audit`), how it is shown (`web`, `mcp_server`, `cli`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sophia_assets.access import policies
from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import role_named
from sophia_assets.control.flag_names import FREE_SQL
from sophia_assets.errors import AccessDenied, ConfigurationError, SophiaError
from sophia_assets.insight.kinds import DAILY, BriefingKind

if TYPE_CHECKING:
    from sophia_assets.access.audit_chain import Outcome
    from sophia_assets.assistant.interface import Answer, Question
    from sophia_assets.metrics.catalog import Metric
    from sophia_assets.metrics.drill_down import DrillDown, Evidence
    from sophia_assets.services import Services

_SQL_SECONDS = 10.0
_UNTOLD = "the statement fails on the rows that it reads"


@dataclass(frozen=True)
class SqlAnswer:
    """What a statement of an analyst gave: rows as they are, checked by nobody. `is_cut`: there are more of them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool
    tables: tuple[str, ...]
    note: str = "Unverified: these rows were not checked against the metric catalog."


def briefing_target(kind: BriefingKind, day: date | str | None, role: str) -> str:
    """How the audit trail calls an edition of a briefing, whichever way it is read."""
    return f"{kind.key} {day or 'newest'} as {role}"


class Desk:
    """Gives out briefings, evidence, definitions and rows. Every method raises AccessDenied where the principal may
    not see what it asks for, and AuditUnavailable, with nothing given, where the access cannot be recorded.

    Opening it raises EncryptionError where the home is encrypted with another key, or is not and a key is set.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.is_encrypted = services.vault.is_on

    def ask(self, question: Question) -> Answer:
        """The assistant's answer; it decides and records by itself."""
        return self._services.assistant.ask(question)

    def briefing(
        self, principal: Principal, day: date | None = None, kind: BriefingKind = DAILY, role: str | None = None
    ) -> dict[str, Any]:
        """A stored briefing as JSON, in the edition of `role` (default: one's own). Raises BriefingMissing."""
        edition = role_named(role or principal.role).name
        target = briefing_target(kind, day, edition)
        if not policies.may_read_edition(principal, edition):
            raise self._denied(principal, "briefing.read", target, f"{principal.role} may not read this edition")
        content = self._services.publisher.archive.read(day, kind, edition)
        try:
            policies.refuse_edition_holding(principal, _metrics_in(content))
        except AccessDenied as error:
            raise self._denied(principal, "briefing.read", target, error.message) from None
        self._allow(principal, "briefing.read", briefing_target(kind, content["date"], edition))
        return content

    def days(self, principal: Principal, kind: BriefingKind = DAILY) -> list[date]:
        """The days of which there is a briefing that the principal may read, oldest first."""
        if not policies.may_read_edition(principal, principal.role):
            return []
        return self._services.publisher.archive.days(kind, principal.role)

    def evidence(self, principal: Principal, evidence: Evidence, *, limit: int = 200) -> DrillDown:
        """The rows behind a figure: those, and the columns, that the principal may see."""
        from sophia_assets.metrics.drill_down import rows_behind
        from sophia_assets.warehouse.models import load_models

        reading, models = self._services.readings.current(principal.role), load_models()
        metric = reading.catalog.metrics.get(evidence.metric)
        if metric is None:
            raise ConfigurationError(f"there is no metric {evidence.metric!r}", remedy="Open a figure's own link")
        self._may_see(principal, "rows.read", metric)
        parts = reading.catalog.parts(metric)
        tables = [models[part.table] for part in parts]
        conditions = [policies.row_condition(principal, model.columns) for model in tables]
        columns = policies.visible_columns(principal, tables[0], parts[0])
        self._allow(principal, "rows.read", evidence.metric, evidence.as_parameters())
        return rows_behind(reading, evidence, condition=conditions[0], columns=columns, limit=limit)

    def metrics(self, principal: Principal) -> list[Metric]:
        """The metrics that the principal may see; definitions are no data, so nothing is recorded."""
        from sophia_assets.metrics.catalog import load_catalog
        from sophia_assets.warehouse.models import load_models

        models = load_models()
        return [
            metric
            for metric in load_catalog().metrics.values()
            if policies.deny_metric(principal, metric, models) is None
        ]

    def run_sql(self, principal: Principal, sql: str) -> SqlAnswer:
        """The rows of an analyst's own SELECT, in Snowflake's dialect, over what it may see.

        Raises SqlRefused for whatever is no such SELECT, and ConfigurationError while the flag is off.
        """
        from sophia_assets.assistant.sql.checking import MOST_CHARACTERS, MOST_ROWS, SqlRefused, checked
        from sophia_assets.warehouse.models import load_models
        from sophia_assets.warehouse.reading import QueryRefused

        if not self._services.flags.is_on(FREE_SQL):
            raise ConfigurationError(
                "free SQL is switched off",
                remedy=f"An operator switches it on: sophia flags set {FREE_SQL} on --reason WHY",
            )
        if not policies.may_run_sql(principal):
            raise self._denied(principal, "sql.run", "free SQL", f"{principal.role} may not run SQL")
        models, reading = load_models(), self._services.readings.current(principal.role)
        columns = policies.sql_tables(principal, reading.catalog, models)
        conditions = {name: policies.row_condition(principal, models[name].columns) for name in columns}
        try:
            statement = checked(sql, columns, conditions, dialect=reading.dialect)
        except SophiaError:
            self._record(principal, "sql.run", "free SQL", "denied", {"sql": sql[:MOST_CHARACTERS]})
            raise
        self._allow(principal, "sql.run", ", ".join(statement.tables), {"sql": sql})
        try:
            found = reading.query(statement.sql, seconds=_SQL_SECONDS)
        except QueryRefused as error:
            if principal.rows.is_everything:
                raise
            # The engine's words may hold a value of a row that it looked at before it was held back.
            raise SqlRefused(_UNTOLD, remedy="Check casts and arithmetic") from error
        rows = [tuple(row.values()) for row in found.slice(0, MOST_ROWS).to_pylist()]
        return SqlAnswer(tuple(found.column_names), tuple(rows), found.num_rows > MOST_ROWS, statement.tables)

    def _may_see(self, principal: Principal, action: str, metric: Metric) -> None:
        from sophia_assets.warehouse.models import load_models

        why = policies.deny_metric(principal, metric, load_models())
        if why:
            raise self._denied(principal, action, metric.name, why)

    def _allow(self, principal: Principal, action: str, target: str, details: Mapping[str, Any] | None = None) -> None:
        self._record(principal, action, target, "allowed", details or {})

    def _denied(self, principal: Principal, action: str, target: str, why: str) -> AccessDenied:
        self._record(principal, action, target, "denied", {"why": why})
        return AccessDenied(why, remedy="Ask whoever manages access")

    def _record(
        self, principal: Principal, action: str, target: str, outcome: Outcome, details: Mapping[str, Any]
    ) -> None:
        self._services.audit.record(principal, action, target, outcome, details)


def _metrics_in(content: Mapping[str, Any]) -> set[str]:
    """The metrics of the facts that a stored briefing holds, and of those that its stories were found in."""
    facts = [*content.get("facts", ()), *content.get("evidence", {}).get("grounds", ())]
    return {str(fact["metric"]) for fact in facts}
