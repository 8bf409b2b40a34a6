"""What a faultless load must leave in the warehouse, worked out from the company's records themselves.

Nothing here goes through a connector or an API: each row is its key and a few telling columns.
Values are text as `str` writes them, moments naive UTC, None where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from sophia_assets.sandbox.company_data import CompanyData, HubSpotRecord, PropertyVersion

Rows = dict[tuple[str, ...], dict[str, str | None]]
"""Rows of one table by primary key, in the order of `Table.primary_key`."""

_HISTORY = ("dealstage", "amount", "closedate", "hubspot_owner_id", "dealname")


def expected(system: str, company: CompanyData) -> dict[str, Rows]:
    """The live rows of the system's tables, by qualified name; tables without an oracle are left out."""
    return {f"{system}.{table}": rows for table, rows in _ORACLES[system](company).items()}


def seen(value: Any) -> str | None:
    """A value as the oracle writes it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(timespec="milliseconds")
    if isinstance(value, int):
        return str(value)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    # Ids look like numbers, too: they stay as they are written.
    return str(value) if isinstance(value, str) else f"{number:.4f}"


def _rows(*rows: tuple[tuple[Any, ...], dict[str, Any]]) -> Rows:
    return {tuple(str(part) for part in key): {n: seen(v) for n, v in row.items()} for key, row in rows}


def _table(
    items: Iterable[Any], identify: Callable[[Any], tuple[Any, ...]], /, **columns: Callable[[Any], Any]
) -> Rows:
    return _rows(*((identify(item), {name: read(item) for name, read in columns.items()}) for item in items))


def _gong(company: CompanyData) -> dict[str, Rows]:
    assert company.gong
    calls = company.gong.calls
    return {
        "users": _table(company.gong.users, lambda user: (user.id,), email=lambda user: user.email),
        "calls": _table(
            calls,
            lambda call: (call.id,),
            started_at=lambda call: call.started,
            duration_s=lambda call: call.duration_s,
        ),
        "call_trackers": _rows(
            *(((call.id, name), {"hits": hits}) for call in calls for name, hits in call.trackers.items())
        ),
        "transcripts": _rows(
            *(
                ((call.id, position), {"text": sentence[4]})
                for call in calls
                for position, sentence in enumerate(call.sentences)
            )
        ),
    }


def _hubspot(company: CompanyData) -> dict[str, Rows]:
    assert company.hubspot
    live = {
        kind: [record for record in company.hubspot.objects[kind] if not record.archived]
        for kind in ("companies", "contacts", "deals")
    }
    return {
        "companies": _table(live["companies"], lambda r: (r.id,), name=lambda r: r.properties["name"]),
        "contacts": _table(live["contacts"], lambda r: (r.id,), email=lambda r: r.properties["email"]),
        "deals": _table(live["deals"], lambda r: (r.id,), stage_id=lambda r: r.properties["dealstage"]),
        "deal_history": _rows(
            *(
                ((deal.id, name, version.timestamp.replace(tzinfo=None)), {"value": version.value})
                # An archived deal's versions stay: it was there on the days before.
                for deal in company.hubspot.objects["deals"]
                for name in _HISTORY
                for version in _versions(deal, name)
            )
        ),
        "deal_companies": _rows(
            *(((deal.id, found), {}) for deal in live["deals"] for found in deal.associations.get("companies", ()))
        ),
        "owners": _table(company.hubspot.owners, lambda owner: (owner.id,), email=lambda owner: owner.email),
        "pipeline_stages": _table(
            company.hubspot.stages,
            lambda stage: (company.hubspot.pipeline_id, stage.id),  # type: ignore[union-attr]
            stage_label=lambda stage: stage.label,
        ),
    }


def _versions(deal: HubSpotRecord, name: str) -> list[PropertyVersion]:
    """A property that was never changed has one version, of the day the deal was made."""
    value = deal.properties.get(name)
    made = [PropertyVersion(value, deal.created_at)] if value else []
    return deal.history.get(name, made)


def _snowflake(company: CompanyData) -> dict[str, Rows]:
    from sophia_assets.sources import registry
    from sophia_assets.sources.snowflake.tables import LOCATIONS

    assert company.snowflake
    held = {table.name: table for table in company.snowflake.tables}
    found = {}
    for table in registry.tables("snowflake"):
        location = held[LOCATIONS[table.name]]
        names = [name.lower() for name in location.columns]
        rows = [dict(zip(names, row, strict=True)) for row in location.rows]
        found[table.name] = _rows(
            *((tuple(row[name] for name in table.primary_key), {"updated_at": row["updated_at"]}) for row in rows)
        )
    return found


def _slack(company: CompanyData) -> dict[str, Rows]:
    assert company.slack
    channels = company.slack.channels
    return {
        "channels": _table(channels, lambda channel: (channel.id,), name=lambda channel: channel.name),
        "users": _table(company.slack.users, lambda user: (user.id,), email=lambda user: user.email),
        "messages": _rows(
            *(
                ((channel.id, message.ts), {"text": message.text, "user_id": message.user_id})
                for channel in channels
                if channel.is_member
                for message in channel.messages
            )
        ),
    }


def _linear(company: CompanyData) -> dict[str, Rows]:
    assert company.linear
    data = company.linear
    labels = {label.id: label.name for label in data.labels}
    return {
        "teams": _table(data.teams, lambda team: (team.id,), key=lambda team: team.key),
        "workflow_states": _table(data.states, lambda state: (state.id,), type=lambda state: state.type),
        "users": _table(data.users, lambda user: (user.id,), email=lambda user: user.email),
        "labels": _table(data.labels, lambda label: (label.id,), name=lambda label: label.name),
        "projects": _table(data.projects, lambda project: (project.id,), name=lambda project: project.name),
        "cycles": _table(data.cycles, lambda cycle: (cycle.id,), number=lambda cycle: cycle.number),
        "issues": _table(
            data.issues,
            lambda issue: (issue.id,),
            title=lambda issue: issue.title,
            state_id=lambda issue: issue.state_id,
            updated_at=lambda issue: issue.updated_at,
        ),
        "issue_labels": _rows(
            *(((issue.id, label), {"label_name": labels[label]}) for issue in data.issues for label in issue.label_ids)
        ),
        "issue_history": _rows(
            *(
                ((move.id,), {"issue_id": issue.id, "to_state_id": move.to_state_id})
                for issue in data.issues
                for move in issue.history
            )
        ),
    }


def _pinecone(company: CompanyData) -> dict[str, Rows]:
    assert company.pinecone
    # The namespace without a name is called so in every answer.
    spaces = {name or "__default__": records for name, records in company.pinecone.namespaces.items()}
    return {
        "namespaces": _rows(*(((name,), {"vectors": len(records)}) for name, records in spaces.items())),
        "documents": _rows(
            *(
                ((name, record.id), {"title": record.metadata.get("title")})
                for name, records in spaces.items()
                for record in records
            )
        ),
    }


def _redis(company: CompanyData) -> dict[str, Rows]:
    assert company.redis
    accounts, days = "usage:account:", "usage:daily:"
    hashes, totals = company.redis.hashes, "usage:total:"
    daily: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    for key, fields in hashes.items():
        if key.startswith(days):
            for field, value in fields.items():
                account, _, counter = field.partition(":")
                daily.append(((key.removeprefix(days), account, counter), {"value": int(value)}))
    events = company.redis.streams.get("usage:events", [])
    return {
        "account_usage": _rows(
            *(
                ((key.removeprefix(accounts),), {"account_name": fields.get("account_name")})
                for key, fields in hashes.items()
                if key.startswith(accounts)
            )
        ),
        "daily_usage": _rows(*daily),
        "totals": _rows(
            *(
                ((key.removeprefix(totals),), {"value": int(value)})
                for key, value in company.redis.strings.items()
                if key.startswith(totals)
            )
        ),
        "events": _rows(*(((entry,), {"event": fields.get("event")}) for entry, fields in events)),
    }


_ORACLES: Mapping[str, Callable[[CompanyData], dict[str, Rows]]] = {
    "gong": _gong,
    "hubspot": _hubspot,
    "linear": _linear,
    "pinecone": _pinecone,
    "redis": _redis,
    "slack": _slack,
    "snowflake": _snowflake,
}


def fingerprint(rows: Rows) -> str:
    """The rows as text, for telling two sets apart quickly."""
    return orjson.dumps(sorted((list(key), row) for key, row in rows.items())).decode()
