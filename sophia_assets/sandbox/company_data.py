"""What the stand-ins serve: one company's records, in the shapes of the systems that hold them.

Both the simulated company and a folder of exports produce a `CompanyData`; the servers know nothing
else. All datetimes are timezone-aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any


@dataclass(frozen=True)
class PropertyVersion:
    """One value that a HubSpot property had, from `timestamp` on."""

    value: str
    timestamp: datetime
    source_type: str = "CRM_UI"


@dataclass
class HubSpotRecord:
    """A CRM record of any type. Property values are strings or None, as the API serves them.

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
    """Everything HubSpot holds.

    `objects` maps `companies`, `contacts`, `deals`, `tickets`, `line_items`, `meetings` and `calls` to
    their records. `links` are associations that no record carries: (type, id, other type, other id).
    A ticket stage's probability means nothing.
    """

    objects: dict[str, list[HubSpotRecord]]
    owners: list[HubSpotOwner]
    pipeline_id: str
    pipeline_label: str
    stages: list[HubSpotStage]
    links: list[tuple[str, str, str, str]] = field(default_factory=list)
    ticket_pipeline_id: str = "0"
    ticket_pipeline_label: str = "Support pipeline"
    ticket_stages: list[HubSpotStage] = field(default_factory=list)


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


@dataclass(frozen=True)
class GongQuestion:
    """One question of a scorecard; `kind` is RANGE (answered 1..5) or OPEN."""

    id: str
    text: str
    is_overall: bool = False
    kind: str = "RANGE"


@dataclass(frozen=True)
class GongScorecard:
    """A form by which calls are reviewed. `method` is MANUAL or AUTOMATIC."""

    id: str
    name: str
    created: datetime
    updated: datetime
    questions: tuple[GongQuestion, ...]
    enabled: bool = True
    method: str = "MANUAL"


@dataclass
class GongReview:
    """A scorecard that was filled in for a call. `answers` maps a question's id to its score or text.

    `reviewer_id` is None where Gong reviewed the call by itself.
    """

    id: str
    scorecard_id: str
    call_id: str
    reviewed: datetime
    reviewer_id: str | None
    answers: dict[str, int | str] = field(default_factory=dict)


@dataclass
class GongData:
    """Everything Gong holds. `timezone` is the company's, in which Gong counts days."""

    users: list[GongUser]
    calls: list[GongCall]
    workspace_id: str
    workspace_name: str
    scorecards: list[GongScorecard] = field(default_factory=list)
    reviews: list[GongReview] = field(default_factory=list)
    timezone: str = "UTC"


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
class SlackUser:
    """A member of the workspace, or a bot."""

    id: str
    name: str
    real_name: str
    email: str | None
    title: str
    updated: datetime
    display_name: str = ""
    timezone: str = "UTC"
    is_bot: bool = False
    is_deleted: bool = False


@dataclass
class SlackMessage:
    """One message. `ts` (`1767225600.000100`: seconds, microseconds) is its id within the channel.

    `thread_ts` is the parent's `ts` for a reply (and for a parent with replies, its own). `reactions`
    maps an emoji's name to the ids of who reacted. `edited_ts` is when it was last edited.
    """

    ts: str
    user_id: str | None
    text: str
    thread_ts: str | None = None
    edited_ts: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class SlackChannel:
    """A channel with its messages (replies too), oldest first."""

    id: str
    name: str
    created: datetime
    creator_id: str
    updated: datetime
    topic: str = ""
    purpose: str = ""
    is_private: bool = False
    is_archived: bool = False
    is_member: bool = True
    is_shared: bool = False
    member_ids: list[str] = field(default_factory=list)
    messages: list[SlackMessage] = field(default_factory=list)


@dataclass
class SlackData:
    """Everything the workspace holds."""

    team_id: str
    team_name: str
    domain: str
    users: list[SlackUser]
    channels: list[SlackChannel]


@dataclass
class LinearEntity:
    """What every object of Linear has. `archived_at` set by archiving does not move `updated_at`."""

    id: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None


@dataclass
class LinearTeam(LinearEntity):
    """A team; `key` prefixes its issues' identifiers."""

    key: str = ""
    name: str = ""
    description: str = ""


@dataclass
class LinearState(LinearEntity):
    """A state of a team's workflow; `type` is triage, backlog, unstarted, started, completed, canceled or duplicate."""

    team_id: str = ""
    name: str = ""
    type: str = "unstarted"
    position: float = 0.0
    color: str = "#95a2b3"


@dataclass
class LinearUser(LinearEntity):
    """A member of the organization."""

    name: str = ""
    display_name: str = ""
    email: str = ""
    active: bool = True
    admin: bool = False


@dataclass
class LinearLabel(LinearEntity):
    """A label; one with children is a group. Without a team it is the organization's."""

    name: str = ""
    color: str = "#95a2b3"
    parent_id: str | None = None
    team_id: str | None = None


@dataclass
class LinearProject(LinearEntity):
    """A project; `state_type` is backlog, planned, started, paused, completed or canceled; `progress` 0..1."""

    name: str = ""
    description: str = ""
    status: str = "In Progress"
    state_type: str = "started"
    lead_id: str | None = None
    team_ids: list[str] = field(default_factory=list)
    start_date: date | None = None
    target_date: date | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    progress: float = 0.0


@dataclass
class LinearCycle(LinearEntity):
    """A sprint of a team, [starts_at, ends_at); `progress` 0..1."""

    team_id: str = ""
    number: int = 1
    name: str | None = None
    starts_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    ends_at: datetime = datetime(1970, 1, 15, tzinfo=UTC)
    completed_at: datetime | None = None
    progress: float = 0.0


@dataclass(frozen=True)
class LinearStateChange:
    """One move of an issue from a state to another; the first one comes from None."""

    id: str
    created_at: datetime
    from_state_id: str | None
    to_state_id: str
    actor_id: str | None = None


@dataclass
class LinearIssue(LinearEntity):
    """An issue with its moves through the workflow, oldest first. `priority` 0 none, 1 urgent .. 4 low.

    An issue about a customer carries a label of the group `Customer` with the account's name; a bug
    the label `Bug`.
    """

    number: int = 1
    team_id: str = ""
    title: str = ""
    description: str = ""
    state_id: str = ""
    priority: int = 0
    estimate: float | None = None
    assignee_id: str | None = None
    creator_id: str | None = None
    project_id: str | None = None
    cycle_id: str | None = None
    parent_id: str | None = None
    label_ids: list[str] = field(default_factory=list)
    due_date: date | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    trashed: bool = False
    history: list[LinearStateChange] = field(default_factory=list)


@dataclass
class LinearData:
    """Everything the Linear organization holds."""

    organization: str
    url_key: str
    teams: list[LinearTeam]
    states: list[LinearState]
    users: list[LinearUser]
    labels: list[LinearLabel]
    projects: list[LinearProject]
    cycles: list[LinearCycle]
    issues: list[LinearIssue]


@dataclass
class PineconeRecord:
    """One vector with its metadata (text, numbers, truth values and lists of text; None is not allowed)."""

    id: str
    values: list[float]
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PineconeModel:
    """The model that an index embeds texts with by itself: the metadata field it reads them from, and what it does."""

    name: str
    text_field: str
    embed: Callable[[str], list[float]]


@dataclass
class PineconeData:
    """One index: `namespaces` maps a namespace to its records. Metric: cosine, dotproduct or euclidean.

    `model` is None where the index takes vectors only.
    """

    index_name: str
    dimension: int
    metric: str
    namespaces: dict[str, list[PineconeRecord]]
    model: PineconeModel | None = None


@dataclass
class RedisData:
    """What the product's Redis holds, by key. Values are text, as Redis keeps them.

    `streams` maps a key to its entries, oldest first, each an id (`1767225600000-0`: milliseconds,
    sequence) and its fields. `expires` maps a key to when it goes away.
    """

    hashes: dict[str, dict[str, str]] = field(default_factory=dict)
    strings: dict[str, str] = field(default_factory=dict)
    streams: dict[str, list[tuple[str, dict[str, str]]]] = field(default_factory=dict)
    expires: dict[str, datetime] = field(default_factory=dict)


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
    slack: SlackData | None = None
    linear: LinearData | None = None
    pinecone: PineconeData | None = None
    redis: RedisData | None = None
    stories: list[PlantedStory] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
