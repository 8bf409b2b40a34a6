/*---
description: >-
  Issues through time: each state that each issue has been in, from one move to the next. Read for any past day by
  keeping the versions valid at that day's end. An issue that was thrown away ends on that day.
owner: team:product
grain: [issue_id, valid_from]
named_by: [linear.teams, staging.accounts]
optional: [staging.issue_accounts]
columns:
  issue_id: Linear issue id
  account_id: HubSpot company id, empty where it is about no customer or about several
  account: The account's name
  team_id: Linear team id
  team: The team's name, No team where there is none
  is_bug: Whether it carries the label Bug
  priority: 0 none, 1 urgent, 2 high, 3 medium, 4 low, as it is now
  estimate: Estimate on the team's scale, as it is now
  state: Name of the state
  state_type: triage, backlog, unstarted, started, completed, canceled or duplicate
  is_open: Whether work on it was still to be done
  created_on: Day the issue was created (business time zone)
  completed_on: Day it was completed, while it is (business time zone)
  cycle_days: Days from the beginning of work to that completion
  lead_days: Days from creation to that completion
  valid_from: When it came into the state (UTC)
  valid_to: When it left the state, empty for the current one (UTC)
  days: How many days it stayed in the state, empty for the current one
expectations:
  - {kind: not_null, columns: [issue_id, valid_from, state, is_open]}
  - {kind: between, columns: [days, cycle_days, lead_days], min: 0}
---*/
WITH issues AS (
    SELECT
        *,
        CASE WHEN trashed THEN archived_at ELSE _deleted_at END AS gone_at
    FROM linear.issues
),

moves AS (
    -- Of moves within one moment, the one that no other goes on from.
    SELECT
        moves.issue_id,
        moves.changed_at,
        moves.from_state_id,
        moves.to_state_id
    FROM linear.issue_history AS moves
    INNER JOIN issues ON moves.issue_id = issues.issue_id
    LEFT JOIN linear.issue_history AS following
        ON
            moves.issue_id = following.issue_id
            AND moves.changed_at = following.changed_at
            AND moves.to_state_id = following.from_state_id
            AND moves.history_id <> following.history_id
    -- What goes with an issue was true while the issue was there.
    WHERE moves._deleted_at IS NULL OR issues._deleted_at IS NOT NULL
    QUALIFY
        ROW_NUMBER() OVER (
            PARTITION BY moves.issue_id, moves.changed_at
            ORDER BY CASE WHEN following.history_id IS NULL THEN 0 ELSE 1 END, moves.history_id
        ) = 1
),

first_moves AS (
    SELECT
        issue_id,
        changed_at,
        from_state_id
    FROM moves
    QUALIFY ROW_NUMBER() OVER (PARTITION BY issue_id ORDER BY changed_at) = 1
),

entered AS (
    SELECT
        issue_id,
        changed_at AS valid_from,
        to_state_id AS state_id
    FROM moves
    UNION ALL
    -- Until its first move an issue was in the state that it moved from; without any, in its present one.
    SELECT
        issues.issue_id,
        issues.created_at AS valid_from,
        COALESCE(first_moves.from_state_id, issues.state_id) AS state_id
    FROM issues
    LEFT JOIN first_moves ON issues.issue_id = first_moves.issue_id
    WHERE
        first_moves.issue_id IS NULL
        OR (first_moves.from_state_id IS NOT NULL AND issues.created_at < first_moves.changed_at)
),

states AS (
    SELECT
        *,
        LEAD(valid_from) OVER (PARTITION BY issue_id ORDER BY valid_from) AS left_at
    FROM entered
),

versions AS (
    SELECT
        states.issue_id,
        states.state_id,
        states.valid_from,
        COALESCE(states.left_at, issues.gone_at) AS valid_to,
        COALESCE(workflow_states.name, issues.state_name, 'Unknown') AS state,
        COALESCE(workflow_states.type, issues.state_type) AS state_type,
        -- An issue keeps the moment of its last completion only; of earlier ones the move tells.
        CASE
            WHEN COALESCE(workflow_states.type, issues.state_type) = 'completed'
                THEN COALESCE(CASE WHEN states.left_at IS NULL THEN issues.completed_at END, states.valid_from)
        END AS completed_at
    FROM states
    INNER JOIN issues ON states.issue_id = issues.issue_id
    LEFT JOIN linear.workflow_states ON states.state_id = workflow_states.state_id
),

about AS (
    SELECT
        issue_id,
        MIN(account_id) AS account_id
    FROM staging.issue_accounts
    GROUP BY issue_id
    HAVING COUNT(*) = 1
),

bugs AS (
    SELECT DISTINCT issue_id
    FROM linear.issue_labels
    WHERE _deleted_at IS NULL AND LOWER(TRIM(label_name)) = 'bug'
)

SELECT
    versions.issue_id,
    accounts.account_id,
    accounts.account,
    issues.team_id,
    COALESCE(teams.name, 'No team') AS team,
    bugs.issue_id IS NOT NULL AS is_bug,
    COALESCE(issues.priority, 0) AS priority,
    issues.estimate,
    versions.state,
    versions.state_type,
    COALESCE(versions.state_type, 'backlog') NOT IN ('completed', 'canceled', 'duplicate') AS is_open,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, issues.created_at) AS DATE) AS created_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, versions.completed_at) AS DATE) AS completed_on,
    CASE
        WHEN issues.started_at <= versions.completed_at
            THEN DATEDIFF('second', issues.started_at, versions.completed_at) / 86400.0
    END AS cycle_days,
    CASE
        WHEN issues.created_at <= versions.completed_at
            THEN DATEDIFF('second', issues.created_at, versions.completed_at) / 86400.0
    END AS lead_days,
    versions.valid_from,
    versions.valid_to,
    DATEDIFF('second', versions.valid_from, versions.valid_to) / 86400.0 AS days
FROM versions
INNER JOIN issues ON versions.issue_id = issues.issue_id
LEFT JOIN about ON versions.issue_id = about.issue_id
LEFT JOIN staging.accounts ON about.account_id = accounts.account_id
LEFT JOIN bugs ON versions.issue_id = bugs.issue_id
LEFT JOIN linear.teams AS teams ON issues.team_id = teams.team_id
WHERE versions.valid_to IS NULL OR versions.valid_from < versions.valid_to
