"""What the stand-ins serve: one company's records, in the shapes of the systems that hold them.

Both the simulated company and a folder of exports produce a `CompanyData`; the servers know nothing
else. All datetimes are timezone-aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True)
class PropertyVersion:
    """One value that a HubSpot property had, from `timestamp` on."""

    value: str
    timestamp: datetime
    source_type: str = "CRM_UI"


@dataclass
class HubSpotRecord:
    """A company, contact or deal. Property values are strings or None, as the API serves them.

    `history` holds, per property, its versions oldest first. `associations` maps an object type
    (`companies`) to the ids this record is associated with.
    """

    id: str
    properties: dict[str, str | None]
    created_at: datetime
    updated_at: datetime
    archived: bool = False
    archived_at: datetime | None = None
    history: dict[str, list[PropertyVersion]] = field(default_factory=dict)
    associations: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class HubSpotStage:
    """A stage of the deal pipeline; `probability` 0..1, as HubSpot keeps it."""

    id: str
    label: str
    display_order: int
    probability: float
    is_closed: bool


@dataclass(frozen=True)
class HubSpotOwner:
    """A CRM user who owns records."""

    id: str
    first_name: str
    last_name: str
    email: str | None
    created_at: datetime
    updated_at: datetime
    team: str | None = None
    archived: bool = False


@dataclass
class HubSpotData:
    """Everything HubSpot holds. `objects` maps `companies`, `contacts`, `deals` to their records."""

    objects: dict[str, list[HubSpotRecord]]
    owners: list[HubSpotOwner]
    pipeline_id: str
    pipeline_label: str
    stages: list[HubSpotStage]


@dataclass
class GongCall:
    """One call: its metadata, parties, trackers and transcript.

    `trackers` maps a tracker's name to the number of hits. `sentences` are
    (speaker_id, topic, start_ms, end_ms, text). `account_id` and `deal_id` are HubSpot ids.
    """

    id: str
    title: str
    started: datetime
    duration_s: int
    primary_user_id: str
    parties: list[dict[str, Any]]
    direction: str = "Conference"
    account_id: str | None = None
    account_name: str | None = None
    deal_id: str | None = None
    trackers: dict[str, int] = field(default_factory=dict)
    sentences: list[tuple[str, str, int, int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class GongUser:
    """A user of Gong, an employee of the company."""

    id: str
    email: str
    first_name: str
    last_name: str
    title: str
    created: datetime
    manager_id: str | None = None
    active: bool = True


@dataclass
class GongData:
    """Everything Gong holds."""

    users: list[GongUser]
    calls: list[GongCall]
    workspace_id: str
    workspace_name: str


@dataclass
class SnowflakeTable:
    """A table of the company's Snowflake account: `name` is SCHEMA.TABLE, types are Snowflake's."""

    name: str
    columns: dict[str, str]
    rows: Sequence[tuple[Any, ...]]


@dataclass
class SnowflakeData:
    """Everything the company's Snowflake account holds, in `database`."""

    database: str
    tables: list[SnowflakeTable]


@dataclass(frozen=True)
class PlantedStory:
    """Something true that was written into the simulated company on purpose, so that finding it can be measured.

    `kind` is one of the briefing's story kinds, `subject_type` one of account, deal, stage, competitor.
    A briefing dated in [visible_from, visible_to] should tell it.
    """

    id: str
    kind: str
    subject_type: str
    subject_id: str
    subject_name: str
    visible_from: date
    visible_to: date
    detail: Mapping[str, Any]


@dataclass
class CompanyData:
    """One company across its systems; a system it does not use is None.

    `first_day` and `last_day` bound its history (business time zone); `warnings` says what in an
    export folder could not be read.
    """

    name: str
    first_day: date
    last_day: date
    hubspot: HubSpotData | None = None
    gong: GongData | None = None
    snowflake: SnowflakeData | None = None
    stories: list[PlantedStory] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
