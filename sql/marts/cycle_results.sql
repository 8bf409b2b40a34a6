/*---
description: >-
  What became of each cycle (sprint) that has begun: what was to be worked on when it began, what was taken up later,
  what was completed and what was carried over. Counted from the states that the issues of its team were in, since
  Linear moves what is not done on into the next cycle.
owner: team:product
grain: [cycle_id]
named_by: [linear.teams]
columns:
  cycle_id: Linear cycle id
  team_id: Linear team id
  team: The team's name, No team where there is none
  number: The cycle's number within its team
  starts_on: Day it begins (business time zone)
  ends_on: Day after its last (business time zone)
  is_over: Whether it was completed
  planned: Issues that were to do or in progress when it began
  added: Issues that came to be to do or in progress after it began
  completed: Issues completed within it
  completed_planned: Issues completed within it that were planned
  carried_over: Issues to do or in progress at its end, or now while it runs
  points: Estimates of the issues completed within it
  per_week: Issues completed in each seven days of its length
expectations:
  - {kind: not_null, columns: [cycle_id, team, starts_on, ends_on]}
  - {kind: between, columns: [planned, added, completed, completed_planned, carried_over, points], min: 0}
---*/
WITH begun AS (
    -- What has not begun by the last that is known of any issue is not there yet.
    SELECT cycles.*
    FROM linear.cycles AS cycles
    INNER JOIN (
        SELECT MAX(updated_at) AS known_to
        FROM linear.issues
    ) AS newest ON cycles.starts_at <= newest.known_to
    WHERE cycles._deleted_at IS NULL
),

per_issue AS (
    SELECT
        begun.cycle_id,
        states.issue_id,
        MAX(states.estimate) AS estimate,
        BOOLOR_AGG(
            states.state_type IN ('unstarted', 'started') AND states.valid_from <= begun.starts_at
        ) AS planned,
        BOOLOR_AGG(
            states.state_type IN ('unstarted', 'started') AND states.valid_from > begun.starts_at
        ) AS taken_up,
        BOOLOR_AGG(states.state_type = 'completed' AND states.valid_from >= begun.starts_at) AS completed,
        BOOLOR_AGG(
            states.state_type IN ('unstarted', 'started')
            AND (states.valid_to IS NULL OR states.valid_to >= begun.ends_at)
        ) AS carried_over
    FROM begun
    INNER JOIN marts.issue_states AS states
        ON
            begun.team_id = states.team_id
            AND states.valid_from < begun.ends_at
            AND (states.valid_to IS NULL OR states.valid_to > begun.starts_at)
    GROUP BY begun.cycle_id, states.issue_id
),

results AS (
    SELECT
        cycle_id,
        COUNT_IF(planned) AS planned,
        COUNT_IF(taken_up AND NOT planned) AS added,
        COUNT_IF(completed) AS completed,
        COUNT_IF(completed AND planned) AS completed_planned,
        COUNT_IF(carried_over) AS carried_over,
        SUM(CASE WHEN completed THEN estimate END) AS points
    FROM per_issue
    GROUP BY cycle_id
)

SELECT
    begun.cycle_id,
    begun.team_id,
    COALESCE(teams.name, 'No team') AS team,
    begun.number,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, begun.starts_at) AS DATE) AS starts_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, begun.ends_at) AS DATE) AS ends_on,
    begun.completed_at IS NOT NULL AS is_over,
    COALESCE(results.planned, 0) AS planned,
    COALESCE(results.added, 0) AS added,
    COALESCE(results.completed, 0) AS completed,
    COALESCE(results.completed_planned, 0) AS completed_planned,
    COALESCE(results.carried_over, 0) AS carried_over,
    COALESCE(results.points, 0) AS points,
    COALESCE(results.completed, 0) * 604800.0
    / NULLIF(DATEDIFF('second', begun.starts_at, begun.ends_at), 0) AS per_week
FROM begun
LEFT JOIN results ON begun.cycle_id = results.cycle_id
LEFT JOIN linear.teams AS teams ON begun.team_id = teams.team_id
