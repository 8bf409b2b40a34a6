"""Who may see what: metrics, rows, columns, quotes, editions, free SQL, the audit trail.

Belongs here: deciding, for a principal, before anything is read. Does not belong here: reading it. Whatever no rule
allows is denied; an unknown role is refused by ConfigurationError, never let through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sophia_assets.access.principal import AccountAttribute, Principal
from sophia_assets.access.roles import EXECUTIVE, may_see, may_see_area, role_named
from sophia_assets.errors import AccessDenied, ConfigurationError

if TYPE_CHECKING:
    from sophia_assets.metrics.catalog.entries import AccessArea, Catalog, Metric
    from sophia_assets.warehouse.models import Model

AUDITOR = "auditor"
ACCOUNT_COLUMN = "account_id"
ACCOUNTS = "marts.accounts"
_COLUMN_OF: dict[AccountAttribute, str] = {
    "account": "account_id",
    "owner": "owner_id",
    "industry": "industry",
    "country": "country",
}
#: What of `marts.accounts` is no figure: who the accounts are. Its figures are those of metrics, elsewhere.
_WHO_ACCOUNTS_ARE = ("account_id", "account", "industry", "country", "owner_id", "owner")
_AREAS_OF_CUSTOMERS: tuple[AccessArea, ...] = ("customer", "sales")
_SQL_ROLES = frozenset({EXECUTIVE, "analyst"})
_AUDITING_ROLES = frozenset({EXECUTIVE, AUDITOR})
#: Parts of a column's name that tell of somebody's person, or of what somebody wrote or said.
_PERSONAL = frozenset(
    {"email", "mail", "phone", "telephone", "mobile", "address", "birthday", "salary", "password", "secret", "token"}
    | {"body", "text", "transcript", "content", "comment", "comments", "description", "message", "subject", "title"}
    | {"note", "notes", "snippet", "host", "first", "last", "surname"}
)
#: ... where these alone tell of nobody: `last_seen_on` is a day, `first_name` a person.
_PERSONAL_WITH_NAME = frozenset({"first", "last"})
_STRING = re.compile(r"'(?:[^'\\]|\\.|'')*'")
_WORD = re.compile(r"[a-z_][a-z0-9_]*")
_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def deny_metric(principal: Principal, metric: Metric, models: Mapping[str, Model]) -> str | None:
    """Why a principal may not see a metric, as a reader is told; None where it may.

    Its role must have one of the metric's areas and be cleared for its sensitivity; whoever is limited to accounts sees
    what can be told apart by account alone.
    """
    if not may_see(principal.role, metric):
        return f"the role {principal.role} does not see {metric.spoken}"
    if principal.rows.is_everything:
        return None
    tables = _tables_of(metric)
    if tables and all(ACCOUNT_COLUMN in models[table].columns if table in models else False for table in tables):
        return None
    return f"{principal.name} is limited to certain accounts, and {metric.spoken} cannot be told apart by account"


def row_condition(principal: Principal, columns: Collection[str], alias: str = "t") -> str | None:
    """The condition on the rows of a table that a principal may see, in Snowflake's dialect; None: on no row.

    `columns` are the table's, `alias` what the query calls it. Raises AccessDenied where rows are to be held back of a
    table that does not say whose they are.
    """
    role_named(principal.role)
    if principal.rows.is_everything:
        return None
    if not _ALIAS.fullmatch(alias):
        raise ValueError(f"{alias!r} is no name for a table")
    if ACCOUNT_COLUMN not in columns:
        raise AccessDenied(
            f"{principal.name} is limited to certain accounts, and this data cannot be told apart by account",
            remedy="Ask for figures of accounts",
        )
    parts = [_one_of(attribute, principal.rows.allowed[attribute]) for attribute in sorted(principal.rows.allowed)]
    return f"{alias}.account_id IN (SELECT account_id FROM {ACCOUNTS} WHERE {' AND '.join(parts)})"


def may_read_quotes(principal: Principal) -> bool:
    """Whether a principal may read what customers said: roles that see customers or sales."""
    return any(may_see_area(principal.role, area) for area in _AREAS_OF_CUSTOMERS)


def visible_columns(principal: Principal, model: Model, metric: Metric) -> tuple[str, ...]:
    """The columns of a model that may be shown as the rows behind a metric, in the model's order; none where it is
    denied.

    Those that the metric is computed from and broken down by, and ids; never what is personal, or somebody's words.
    """
    if deny_metric(principal, metric, {model.qualified_name: model, **_models_of(metric)}):
        return ()
    named = {
        column
        for part in _parts_of(metric)
        if part.table == model.qualified_name and may_see(principal.role, part)
        for column in _columns_named_by(part, model)
    }
    if not named:
        return ()
    return tuple(
        column for column in model.columns if (column in named or _is_id(column, model)) and not is_personal(column)
    )


def may_read_edition(principal: Principal, role: str) -> bool:
    """Whether a principal may read the briefings written for a role: its own; the executive reads all.

    Briefings speak of all rows, so that whoever is limited to accounts reads none.
    """
    reader, edition = role_named(principal.role).name, role_named(role).name
    return principal.rows.is_everything and (reader in (EXECUTIVE, edition))


def may_run_sql(principal: Principal) -> bool:
    """Whether a principal may ask by SQL: roles that work with the figures of every area."""
    return role_named(principal.role).name in _SQL_ROLES


def sql_tables(principal: Principal, catalog: Catalog, models: Mapping[str, Model]) -> Mapping[str, tuple[str, ...]]:
    """The marts, and their columns, that a principal's SQL may name; empty for whoever may not run any.

    What metrics that it may see are computed from, and who the accounts are. Of each of them, the rows must still be
    narrowed by `row_condition`.
    """
    if not may_run_sql(principal):
        return {}
    seen: dict[str, set[str]] = {}
    for metric in catalog.metrics.values():
        if deny_metric(principal, metric, models):
            continue
        for part in catalog.parts(metric):
            if part.table in models and may_see(principal.role, part):
                columns = visible_columns(principal, models[part.table], part)
                seen.setdefault(part.table, set()).update(columns)
    accounts = models.get(ACCOUNTS)
    if accounts and any(ACCOUNT_COLUMN in columns for columns in seen.values()):
        seen.setdefault(ACCOUNTS, set()).update(column for column in _WHO_ACCOUNTS_ARE if column in accounts.columns)
    return {
        table: tuple(column for column in models[table].columns if column in columns)
        for table, columns in sorted(seen.items())
        if columns
    }


def refuse_edition_holding(principal: Principal, metrics: Collection[str]) -> None:
    """Raises AccessDenied where a stored edition holds facts of any metric that a principal does not see (any more).

    Rights may have changed since it was written.
    """
    from sophia_assets.metrics.catalog import load_catalog
    from sophia_assets.warehouse.models import load_models

    known, models = load_catalog().metrics, load_models()
    for name in sorted(metrics):
        if name not in known or deny_metric(principal, known[name], models):
            raise AccessDenied(
                f"this edition holds figures that the role {principal.role} does not see (any more)",
                remedy="Ask for the figures that you may see",
            )


def may_see_platform(principal: Principal) -> bool:
    """Whether a principal may see how the platform is run, which speaks of all rows: problems, usage, costs."""
    return principal.rows.is_everything and may_see_area(principal.role, "platform")


def may_audit(principal: Principal) -> bool:
    """Whether a principal may read the audit trail, which speaks of everybody."""
    return principal.rows.is_everything and role_named(principal.role).name in _AUDITING_ROLES


def is_personal(column: str) -> bool:
    """Whether a column's name tells of somebody's person, or of what somebody wrote."""
    words = set(column.lower().split("_"))
    if words & _PERSONAL_WITH_NAME and "name" not in words:
        words -= _PERSONAL_WITH_NAME
    return not words.isdisjoint(_PERSONAL)


def _one_of(attribute: str, values: Collection[str]) -> str:
    if attribute not in _COLUMN_OF:
        raise ConfigurationError(
            f"accounts cannot be limited by {attribute!r}", remedy=f"Use one of {', '.join(_COLUMN_OF)}"
        )
    if not values:
        return "FALSE"
    return f"{_COLUMN_OF[attribute]} IN ({', '.join(_literal(value) for value in sorted(values))})"


def _literal(text: str) -> str:
    """A string in Snowflake's dialect, where a backslash begins an escape."""
    if "\x00" in text:
        raise ConfigurationError("a value holds a character that no value has", remedy="Give it without")
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _parts_of(metric: Metric) -> tuple[Metric, ...]:
    """The metric, or what a ratio divides; nothing where the catalog does not know its parts."""
    if metric.kind != "ratio":
        return (metric,)
    from sophia_assets.metrics.catalog import load_catalog

    known = load_catalog().metrics
    parts = [known.get(name) for name in (metric.of, metric.per) if name]
    return tuple(part for part in parts if part is not None) if all(parts) else ()


def _tables_of(metric: Metric) -> set[str]:
    return {part.table for part in _parts_of(metric)}


def _models_of(metric: Metric) -> Mapping[str, Model]:
    from sophia_assets.warehouse.models import load_models

    models = load_models()
    return {table: models[table] for table in _tables_of(metric) if table in models}


def _columns_named_by(metric: Metric, model: Model) -> set[str]:
    """The columns of the model that a metric's definition speaks of."""
    from sophia_assets.metrics.catalog import load_catalog

    text = _STRING.sub(" ", f"{metric.expression} {metric.where or ''}").lower()
    words = set(_WORD.findall(text)) | {metric.time or "", *(metric.valid or ()), *map(str, metric.covers or ())}
    for name in metric.dimensions:
        dimension = load_catalog().dimensions.get(name)
        if dimension:
            words |= {dimension.column, dimension.id}
    return words & set(model.columns)


def _is_id(column: str, model: Model) -> bool:
    return column.endswith("_id") or column in model.grain
