"""Gong's raw tables: what they hold, their keys, cursors, freshness and rules."""

from __future__ import annotations

from datetime import timedelta

from sophia_assets.sources.columns import (
    between,
    boolean,
    day,
    floating,
    integer,
    json_column,
    key_rules,
    not_null,
    one_of,
    refers_to,
    string,
    timestamp,
)
from sophia_assets.sources.declarations import Column, Freshness, Table

SYSTEM = "gong"

# Calls and transcripts appear hours or days after the call, always under the time at which it began.
_LATE_ARRIVAL = timedelta(days=7)
_CALL_FRESHNESS = Freshness(newest_event=timedelta(days=4))
_CUSTOMER_TEAM = "team:customer"

_USERS = Table(
    system=SYSTEM,
    name="users",
    group="users",
    description="Employees whose calls Gong records.",
    primary_key=("user_id",),
    is_dimension=True,
    # Names, titles and managers are overwritten.
    keeps_versions=True,
    carries_back=True,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("user_id", "Gong's id of the user."),
        string("email", "The user's e-mail address.", personal=True),
        string("first_name", "The user's first name."),
        string("last_name", "The user's last name."),
        string("title", "The user's role in the company."),
        string("manager_id", "The user's manager."),
        boolean("active", "Whether the user still has an account."),
        timestamp("created_at", "When the user was added."),
    ),
    expectations=key_rules("user_id"),
)

_WORKSPACES = Table(
    system=SYSTEM,
    name="workspaces",
    group="workspaces",
    description="The parts that the company has divided its Gong into.",
    primary_key=("workspace_id",),
    is_dimension=True,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("workspace_id", "Gong's id of the workspace."),
        string("name", "The workspace's name."),
        string("description", "What the workspace is for."),
    ),
    expectations=key_rules("workspace_id"),
)

_CALLS = Table(
    system=SYSTEM,
    name="calls",
    group="calls",
    description="Recorded calls with customers and prospects, with the account and deal they were about.",
    primary_key=("call_id",),
    entity="call_id",
    cursor="started_at",
    lookback=_LATE_ARRIVAL,
    freshness=_CALL_FRESHNESS,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("call_id", "Gong's id of the call."),
        string("title", "The meeting's title."),
        timestamp("started_at", "When the call began."),
        integer("duration_s", "How long the call lasted, in seconds."),
        string("direction", "Inbound, Outbound, Conference or Unknown."),
        string("primary_user_id", "The employee who hosted the call."),
        string("company_id", "The HubSpot company that Gong linked the call to."),
        string("company_name", "That company's name, as Gong shows it."),
        string("deal_id", "The HubSpot deal that Gong linked the call to."),
        string("url", "Where the call can be heard in Gong."),
    ),
    expectations=(
        *key_rules("call_id"),
        not_null("started_at", recovery="A call without a start cannot be dated; ask Gong's support about its id."),
        between("duration_s", 0, None, strict_low=True, severity="warn"),
        one_of("direction", ["Inbound", "Outbound", "Conference", "Unknown"], severity="warn"),
        not_null("company_id", severity="warn", mostly=0.5, recovery="Check Gong's CRM connection to HubSpot."),
        refers_to("company_id", "hubspot.companies", mostly=0.95),
        refers_to("deal_id", "hubspot.deals", mostly=0.9),
        refers_to("primary_user_id", "gong.users", "user_id", mostly=0.95),
    ),
)

_CALL_TRACKERS = Table(
    system=SYSTEM,
    name="call_trackers",
    group="calls",
    description="What Gong's trackers heard in each call: competitors, churn risk, pricing, expansion.",
    primary_key=("call_id", "tracker"),
    entity="call_id",
    lookback=_LATE_ARRIVAL,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("call_id", "The call."),
        string("tracker", "The tracker's name; `Competitor: <name>` for a competitor."),
        integer("hits", "How often it was heard in the call; at least 1."),
    ),
    expectations=(
        *key_rules("call_id", "tracker"),
        between("hits", 1, None),
        refers_to("call_id", "gong.calls", mostly=0.95),
    ),
)

_CALL_PARTIES = Table(
    system=SYSTEM,
    name="call_parties",
    group="calls",
    description="Who was invited to each call or took part in it.",
    primary_key=("call_id", "party_id"),
    entity="call_id",
    lookback=_LATE_ARRIVAL,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("call_id", "The call."),
        string("party_id", "Gong's id of the participant in this call."),
        string("user_id", "The Gong user, where the participant is one."),
        string("email", "The participant's e-mail address.", personal=True),
        string("name", "The participant's name.", personal=True),
        string("title", "The participant's job."),
        string("affiliation", "Internal, External or Unknown."),
        string("speaker_id", "Who speaks under this number in the call's transcript."),
        floating("talk_s", "How long the participant spoke, in seconds."),
    ),
    expectations=(
        *key_rules("call_id", "party_id"),
        refers_to("call_id", "gong.calls", mostly=0.95),
        one_of("affiliation", ["Internal", "External", "Unknown"], severity="warn"),
        between("talk_s", 0, None, severity="warn"),
    ),
)

_CALL_INTERACTION = Table(
    system=SYSTEM,
    name="call_interaction",
    group="calls",
    description="How the host of each call talked, as Gong measures it, and how many questions were asked.",
    primary_key=("call_id",),
    entity="call_id",
    lookback=_LATE_ARRIVAL,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("call_id", "The call."),
        floating("talk_ratio", "The host's part of the talking, in Gong's own unit."),
        floating("longest_monologue_s", "The host's longest stretch without a break, in seconds."),
        floating("longest_customer_story_s", "The customer's longest stretch without a break, in seconds."),
        floating("interactivity", "How often the speaker changed, on Gong's scale."),
        floating("patience", "How long the host waited before answering, as Gong measures it."),
        integer("company_questions", "Questions asked by people of the company."),
        integer("customer_questions", "Questions asked by everybody else."),
    ),
    expectations=(
        *key_rules("call_id"),
        *(between(name, 0, None, severity="warn") for name in ("talk_ratio", "longest_monologue_s", "patience")),
    ),
)

_TRANSCRIPTS = Table(
    system=SYSTEM,
    name="transcripts",
    group="transcripts",
    description="What was said in each call, sentence by sentence; `gong.calls` says when the call was.",
    primary_key=("call_id", "position"),
    entity="call_id",
    lookback=_LATE_ARRIVAL,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("call_id", "The call."),
        integer("position", "The sentence's place in the call, from 0."),
        string("speaker_id", "Who spoke, as numbered within the call."),
        string("topic", "The topic that Gong assigned to the passage."),
        integer("start_ms", "When the sentence begins, in milliseconds from the call's start."),
        integer("end_ms", "When the sentence ends, in milliseconds from the call's start."),
        string("text", "The sentence, as transcribed.", personal=True),
    ),
    expectations=(
        *key_rules("call_id", "position"),
        refers_to("call_id", "gong.calls", mostly=0.95),
        not_null("text", severity="warn", mostly=0.99),
        between("start_ms", 0, None),
    ),
)

_TRACKERS = Table(
    system=SYSTEM,
    name="trackers",
    group="trackers",
    description="The keyword trackers that are set up: what each of them listens for.",
    primary_key=("tracker_id",),
    is_dimension=True,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("tracker_id", "Gong's id of the tracker."),
        string("name", "The tracker's name, as in `gong.call_trackers`."),
        string("workspace_id", "The workspace that it belongs to."),
        json_column("keywords", "Per language, the words and phrases that it listens for."),
        string("affiliation", "Who must say them: Anyone, Company or NonCompany."),
        string("said_at", "Where in the call they count: Anytime, First or Last."),
        boolean("part_of_question", "Whether they count only within a question."),
        string("creator_id", "The user who set it up; empty for Gong's own."),
        timestamp("created_at", "When it was set up."),
        timestamp("updated_at", "When its settings last changed."),
    ),
    expectations=(*key_rules("tracker_id"), not_null("name")),
)

_SCORECARDS = Table(
    system=SYSTEM,
    name="scorecards",
    group="scorecards",
    description="The forms by which calls are reviewed.",
    primary_key=("scorecard_id",),
    is_dimension=True,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("scorecard_id", "Gong's id of the scorecard."),
        string("name", "The scorecard's name."),
        string("workspace_id", "The workspace that it belongs to."),
        boolean("enabled", "Whether it is in use."),
        string("review_method", "MANUAL where people fill it in, AUTOMATIC where Gong does."),
        string("updater_id", "The user who last changed it."),
        timestamp("created_at", "When it was made."),
        timestamp("updated_at", "When it last changed."),
    ),
    expectations=(*key_rules("scorecard_id"), not_null("name")),
)

_SCORECARD_QUESTIONS = Table(
    system=SYSTEM,
    name="scorecard_questions",
    group="scorecards",
    description="The questions of each scorecard, as they are asked now.",
    primary_key=("scorecard_id", "question_id"),
    is_dimension=True,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("scorecard_id", "The scorecard."),
        string("question_id", "Gong's id of the question."),
        string("revision_id", "Gong's id of the question's present wording."),
        string("text", "The question."),
        string("type", "How it is answered, such as RANGE."),
        boolean("is_overall", "Whether it asks for the overall impression."),
        integer("min_score", "The lowest score that can be given."),
        integer("max_score", "The highest score that can be given."),
        json_column("options", "The options to choose from, where it has any."),
    ),
    expectations=key_rules("scorecard_id", "question_id"),
)

_SCORECARD_ANSWERS = Table(
    system=SYSTEM,
    name="scorecard_answers",
    group="scorecard_answers",
    description="The answers that reviewers, or Gong itself, gave in the scorecards of single calls.",
    primary_key=("review_id", "question_id"),
    entity="call_id",
    cursor="reviewed_at",
    lookback=_LATE_ARRIVAL,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("review_id", "Gong's id of the answered scorecard."),
        string("question_id", "The question that was answered."),
        string("question_revision_id", "The wording that was answered."),
        string("scorecard_id", "The scorecard."),
        string("scorecard_name", "The scorecard's name at the time."),
        string("call_id", "The call that was reviewed."),
        timestamp("call_started_at", "When that call began."),
        string("reviewed_user_id", "The employee who was reviewed."),
        string("reviewer_id", "Who reviewed; empty where Gong did."),
        string("review_method", "MANUAL or AUTOMATIC."),
        boolean("is_overall", "Whether the question asks for the overall impression."),
        integer("score", "The score given, where the question has one."),
        string("answer_text", "The answer in words, where there is one.", personal=True),
        boolean("not_applicable", "Whether the reviewer found that the question did not apply."),
        json_column("selected_options", "The options chosen, where the question has any."),
        timestamp("reviewed_at", "When the review was completed and published."),
    ),
    expectations=(
        *key_rules("review_id", "question_id"),
        *(not_null(name) for name in ("call_id", "reviewed_at")),
        between("score", 0, None, severity="warn"),
    ),
)

# What Gong counts per user and day: its own name of each list of calls, and what the count means.
ACTIVITIES: dict[str, Column] = {
    "callsAsHost": integer("calls_hosted", "Calls that the user hosted."),
    "callsAttended": integer("calls_attended", "Calls that the user took part in without being the host."),
    "callsGaveFeedback": integer("feedback_given", "Calls on which the user gave feedback."),
    "callsRequestedFeedback": integer("feedback_requested", "Calls on which the user asked for feedback."),
    "callsReceivedFeedback": integer("feedback_received", "Calls on which the user was given feedback."),
    "ownCallsListenedTo": integer("own_calls_heard", "Calls of their own that the user listened to."),
    "othersCallsListenedTo": integer("other_calls_heard", "Calls of others that the user listened to."),
    "callsSharedInternally": integer("shared_internally", "Calls that the user shared within the company."),
    "callsSharedExternally": integer("shared_externally", "Calls that the user shared outside the company."),
    "callsCommentsGiven": integer("comments_given", "Calls that the user commented on."),
    "callsCommentsReceived": integer("comments_received", "Calls of the user that others commented on."),
    "callsMarkedAsFeedbackGiven": integer("marked_given", "Calls that the user marked as reviewed."),
    "callsMarkedAsFeedbackReceived": integer("marked_received", "Calls of the user that others marked as reviewed."),
    "callsScorecardsFilled": integer("scorecards_filled", "Calls that the user filled in a scorecard for."),
    "callsScorecardsReceived": integer("scorecards_received", "Calls of the user that others scored."),
}

_USER_ACTIVITY = Table(
    system=SYSTEM,
    name="user_activity",
    group="user_activity",
    description="What each user did in Gong on each day with any activity; a first load reaches back half a year.",
    primary_key=("user_id", "day"),
    entity="user_id",
    cursor="day_began_at",
    lookback=_LATE_ARRIVAL,
    owner=_CUSTOMER_TEAM,
    columns=(
        string("user_id", "The user."),
        day("day", "The day, in the time zone that the company has set in Gong."),
        timestamp("day_began_at", "When that day began."),
        *ACTIVITIES.values(),
    ),
    expectations=(*key_rules("user_id", "day"), between("calls_hosted", 0, None)),
)

TABLES: tuple[Table, ...] = (
    _USERS,
    _WORKSPACES,
    _CALLS,
    _CALL_TRACKERS,
    _CALL_PARTIES,
    _CALL_INTERACTION,
    _TRANSCRIPTS,
    _TRACKERS,
    _SCORECARDS,
    _SCORECARD_QUESTIONS,
    _SCORECARD_ANSWERS,
    _USER_ACTIVITY,
)
