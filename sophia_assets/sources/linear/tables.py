"""Linear's raw tables: what they hold, their keys, cursors, freshness and rules."""

from __future__ import annotations

from datetime import timedelta

from sophia_assets.sources.columns import (
    between,
    boolean,
    day,
    floating,
    integer,
    key_rules,
    not_null,
    one_of,
    refers_to,
    string,
    timestamp,
)
from sophia_assets.sources.declarations import Column, Freshness, Table

SYSTEM = "linear"

# A window may end a day ahead of the clock, and a day may have 25 hours: two days reach back behind any read.
LOOKBACK = timedelta(days=2)
_OWNER = "team:product"
_ISSUE_FRESHNESS = Freshness(newest_event=timedelta(days=4))
_STATE_TYPES = ["triage", "backlog", "unstarted", "started", "completed", "canceled", "duplicate"]
_PROJECT_TYPES = ["backlog", "planned", "started", "paused", "completed", "canceled"]


def _times(what: str) -> tuple[Column, ...]:
    return (
        timestamp("archived_at", f"When the {what} was archived; archiving does not move updated_at."),
        timestamp("created_at", f"When the {what} was created."),
        timestamp("updated_at", f"When the {what} was last meaningfully updated."),
    )


_TEAMS = Table(
    system=SYSTEM,
    name="teams",
    group="teams",
    description="Teams, each with its own workflow, cycles and issue numbers.",
    primary_key=("team_id",),
    is_dimension=True,
    # Settings, overwritten.
    keeps_versions=True,
    carries_back=True,
    owner=_OWNER,
    columns=(
        string("team_id", "Linear's id of the team."),
        string("key", "The prefix of the team's issue identifiers."),
        string("name", "The team's name."),
        string("description", "What the team is for."),
        *_times("team"),
    ),
    expectations=(*key_rules("team_id"), not_null("key", severity="warn")),
)

_WORKFLOW_STATES = Table(
    system=SYSTEM,
    name="workflow_states",
    group="teams",
    description="The states that a team's issues go through.",
    primary_key=("state_id",),
    is_dimension=True,
    # Names and kinds are settings, overwritten.
    keeps_versions=True,
    carries_back=True,
    owner=_OWNER,
    columns=(
        string("state_id", "Linear's id of the state."),
        string("team_id", "The team whose workflow it belongs to."),
        string("name", "The state's name, such as In Review."),
        string("type", "triage, backlog, unstarted, started, completed, canceled or duplicate."),
        floating("position", "Where it stands in the workflow, ascending."),
        *_times("state"),
    ),
    expectations=(*key_rules("state_id"), one_of("type", _STATE_TYPES, severity="warn")),
)

_USERS = Table(
    system=SYSTEM,
    name="users",
    group="users",
    description="Members of the organization, suspended ones included.",
    primary_key=("user_id",),
    is_dimension=True,
    # Names and teams are overwritten.
    keeps_versions=True,
    carries_back=True,
    owner=_OWNER,
    columns=(
        string("user_id", "Linear's id of the user."),
        string("name", "The user's full name.", personal=True),
        string("display_name", "The user's short name.", personal=True),
        string("email", "The user's e-mail address.", personal=True),
        boolean("active", "Whether the account is active."),
        boolean("admin", "Whether the user administers the organization."),
        timestamp("created_at", "When the account was created."),
        timestamp("updated_at", "When the account was last meaningfully updated."),
        timestamp("archived_at", "When the account was archived."),
    ),
    expectations=key_rules("user_id"),
)

_LABELS = Table(
    system=SYSTEM,
    name="labels",
    group="labels",
    description="Labels of issues; a label in a group names its group as parent.",
    primary_key=("label_id",),
    is_dimension=True,
    # Names are overwritten; a label says which customer an issue is about.
    keeps_versions=True,
    carries_back=True,
    owner=_OWNER,
    columns=(
        string("label_id", "Linear's id of the label."),
        string("name", "The label's name; in the group Customer, an account's name."),
        string("parent_id", "The group it belongs to."),
        string("parent_name", "That group's name."),
        string("team_id", "The team that uses it; empty for the whole organization's labels."),
        *_times("label"),
    ),
    expectations=(*key_rules("label_id"), not_null("name", severity="warn")),
)

_PROJECTS = Table(
    system=SYSTEM,
    name="projects",
    group="projects",
    description="Projects: work of one or more teams towards a target date.",
    primary_key=("project_id",),
    is_dimension=True,
    # State, target date and lead are overwritten.
    keeps_versions=True,
    carries_back=True,
    owner=_OWNER,
    columns=(
        string("project_id", "Linear's id of the project."),
        string("name", "The project's name."),
        string("description", "The project's short description."),
        string("status", "The name of its status, as the organization calls it."),
        string("state_type", "backlog, planned, started, paused, completed or canceled."),
        string("lead_id", "The user who leads it."),
        day("start_date", "When it is planned to start."),
        day("target_date", "When it is planned to be completed."),
        floating("progress", "How much of it is done, 0 to 1."),
        timestamp("started_at", "When it was started."),
        timestamp("completed_at", "When it was completed."),
        timestamp("canceled_at", "When it was canceled."),
        *_times("project"),
    ),
    expectations=(
        *key_rules("project_id"),
        between("progress", 0, 1, severity="warn"),
        one_of("state_type", _PROJECT_TYPES, severity="warn"),
    ),
)

_CYCLES = Table(
    system=SYSTEM,
    name="cycles",
    group="cycles",
    description="Cycles (sprints) of the teams.",
    primary_key=("cycle_id",),
    is_dimension=True,
    # Names and dates are overwritten.
    keeps_versions=True,
    carries_back=True,
    owner=_OWNER,
    columns=(
        string("cycle_id", "Linear's id of the cycle."),
        string("team_id", "The team whose cycle it is."),
        integer("number", "The cycle's number within its team."),
        string("name", "The cycle's own name, where it has one."),
        timestamp("starts_at", "When it begins."),
        timestamp("ends_at", "When it ends."),
        timestamp("completed_at", "When it was completed."),
        floating("progress", "How much of it is done, 0 to 1."),
        *_times("cycle"),
    ),
    expectations=(*key_rules("cycle_id"), between("progress", 0, 1, severity="warn")),
)

_ISSUES = Table(
    system=SYSTEM,
    name="issues",
    group="issues",
    description="Issues, with the state they are in; archived and trashed ones included.",
    primary_key=("issue_id",),
    entity="issue_id",
    # Linear tells of moves between states, not of changed projects, estimates and priorities.
    keeps_versions=True,
    carries_back=True,
    cursor="updated_at",
    lookback=LOOKBACK,
    freshness=_ISSUE_FRESHNESS,
    owner=_OWNER,
    columns=(
        string("issue_id", "Linear's id of the issue."),
        string("identifier", "What people call it, such as ENG-123; it changes with the team."),
        string("team_id", "The team it belongs to."),
        string("title", "The issue's title."),
        string("state_id", "The state it is in."),
        string("state_name", "That state's name."),
        string("state_type", "That state's type: triage, backlog, unstarted, started, completed, canceled, duplicate."),
        integer("priority", "0 none, 1 urgent, 2 high, 3 medium, 4 low."),
        floating("estimate", "The estimate on the team's scale."),
        string("assignee_id", "The user it is assigned to."),
        string("creator_id", "The user who created it."),
        string("project_id", "The project it belongs to."),
        string("cycle_id", "The cycle it is planned for."),
        string("parent_id", "The issue it is a part of."),
        day("due_date", "When it is due."),
        string("url", "Where it can be seen in Linear."),
        timestamp("created_at", "When it was created."),
        timestamp("started_at", "When it was first moved to a started state."),
        timestamp("completed_at", "When it was moved to a completed state."),
        timestamp("canceled_at", "When it was moved to a canceled state."),
        timestamp("archived_at", "When it was archived or put into the trash; this does not move updated_at."),
        timestamp("updated_at", "When it was last meaningfully updated."),
        boolean("trashed", "Whether it lies in the trash, where it is deleted after thirty days."),
    ),
    expectations=(
        *key_rules("issue_id"),
        refers_to("team_id", "linear.teams", mostly=0.95),
        refers_to("state_id", "linear.workflow_states", mostly=0.95),
        refers_to("project_id", "linear.projects", mostly=0.95),
        not_null("state_id"),
        between("priority", 0, 4, severity="warn"),
        one_of("state_type", _STATE_TYPES, severity="warn"),
    ),
)

_ISSUE_LABELS = Table(
    system=SYSTEM,
    name="issue_labels",
    group="issues",
    description="Which labels an issue carries; one of the group Customer says whom it is about.",
    primary_key=("issue_id", "label_id"),
    entity="issue_id",
    # Whom an issue was about on a past day.
    keeps_versions=True,
    carries_back=True,
    owner=_OWNER,
    columns=(
        string("issue_id", "The issue."),
        string("label_id", "The label."),
        string("label_name", "The label's name."),
    ),
    expectations=(
        *key_rules("issue_id", "label_id"),
        refers_to("issue_id", "linear.issues", mostly=0.95),
        refers_to("label_id", "linear.labels", mostly=0.95),
    ),
)

_ISSUE_HISTORY = Table(
    system=SYSTEM,
    name="issue_history",
    group="issues",
    description="Every move of an issue from one state to another.",
    primary_key=("history_id",),
    entity="issue_id",
    owner=_OWNER,
    columns=(
        string("history_id", "Linear's id of the entry."),
        string("issue_id", "The issue that was moved."),
        timestamp("changed_at", "When it was moved."),
        string("from_state_id", "The state it was in before."),
        string("to_state_id", "The state it was moved to."),
        string("actor_id", "The user who moved it; empty for integrations and automations."),
    ),
    expectations=(
        *key_rules("history_id"),
        not_null("issue_id"),
        not_null("changed_at"),
        refers_to("issue_id", "linear.issues", mostly=0.95),
    ),
)

TABLES = (
    _TEAMS,
    _WORKFLOW_STATES,
    _USERS,
    _LABELS,
    _PROJECTS,
    _CYCLES,
    _ISSUES,
    _ISSUE_LABELS,
    _ISSUE_HISTORY,
)
