/*---
description: >-
  Every issue of the delivery teams as it stands now, archived ones included and trashed ones left out, with the
  account it is about and how long it took.
owner: team:product
grain: [issue_id]
named_by: [linear.teams, linear.projects, staging.accounts]
optional: [staging.issue_accounts]
columns:
  issue_id: Linear issue id
  identifier: What people call it, such as ENG-123
  title: The issue's title
  account_id: HubSpot company id, empty where it is about no customer or about several
  account: The account's name
  accounts: How many accounts it is about
  team_id: Linear team id
  team: The team's name, No team where there is none
  project: The project's name, empty where it belongs to none
  cycle_id: Linear id of the cycle it is or was last planned for
  is_bug: Whether it carries the label Bug
  priority: 0 none, 1 urgent, 2 high, 3 medium, 4 low
  estimate: Estimate on the team's scale
  state: Name of the state it is in
  state_type: triage, backlog, unstarted, started, completed, canceled or duplicate
  is_open: Whether work on it is still to be done
  created_on: Day it was created (business time zone)
  started_on: Day work on it first began (business time zone)
  completed_on: Day it was completed (business time zone)
  canceled_on: Day it was canceled (business time zone)
  due_on: Day it is due
  cycle_days: Days from the beginning of work to completion
  lead_days: Days from creation to completion
expectations:
  - {kind: not_null, columns: [issue_id, team, is_bug, is_open, state]}
  - {kind: between, columns: [cycle_days, lead_days, accounts], min: 0}
  - {kind: between, column: priority, min: 0, max: 4, severity: warn}
---*/
WITH about AS (
    SELECT
        issue_id,
        MIN(account_id) AS account_id,
        COUNT(*) AS accounts
    FROM staging.issue_accounts
    GROUP BY issue_id
),

bugs AS (
    SELECT DISTINCT issue_id
    FROM linear.issue_labels
    WHERE _deleted_at IS NULL AND LOWER(TRIM(label_name)) = 'bug'
)

SELECT
    issues.issue_id,
    issues.identifier,
    issues.title,
    accounts.account_id,
    accounts.account,
    COALESCE(about.accounts, 0) AS accounts,
    issues.team_id,
    COALESCE(teams.name, 'No team') AS team,
    projects.name AS project,
    issues.cycle_id,
    bugs.issue_id IS NOT NULL AS is_bug,
    COALESCE(issues.priority, 0) AS priority,
    issues.estimate,
    COALESCE(issues.state_name, 'Unknown') AS state,
    issues.state_type,
    COALESCE(issues.state_type, 'backlog') NOT IN ('completed', 'canceled', 'duplicate') AS is_open,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, issues.created_at) AS DATE) AS created_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, issues.started_at) AS DATE) AS started_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, issues.completed_at) AS DATE) AS completed_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, issues.canceled_at) AS DATE) AS canceled_on,
    issues.due_date AS due_on,
    CASE
        WHEN issues.started_at <= issues.completed_at
            THEN DATEDIFF('second', issues.started_at, issues.completed_at) / 86400.0
    END AS cycle_days,
    CASE
        WHEN issues.created_at <= issues.completed_at
            THEN DATEDIFF('second', issues.created_at, issues.completed_at) / 86400.0
    END AS lead_days
FROM linear.issues AS issues
LEFT JOIN about ON issues.issue_id = about.issue_id
LEFT JOIN staging.accounts ON about.account_id = accounts.account_id AND about.accounts = 1
LEFT JOIN bugs ON issues.issue_id = bugs.issue_id
LEFT JOIN linear.teams AS teams ON issues.team_id = teams.team_id
LEFT JOIN linear.projects AS projects ON issues.project_id = projects.project_id
WHERE issues._deleted_at IS NULL AND NOT COALESCE(issues.trashed, FALSE)
