/*---
description: >-
  The open pipeline at the end of each day, by stage and owner, from the versions of the deals as they stood then.
  A stage and owner without open deals has no row for that day.
owner: team:revenue
grain: [day, stage_id, owner_id]
named_by: [staging.stages, staging.owners]
columns:
  day: The day (business time zone)
  day_after: The day after; a row holds from `day` until then
  stage_id: HubSpot stage id
  stage: The stage's name
  stage_order: Position of the stage in the pipeline
  owner_id: HubSpot owner id, empty for deals without an owner
  owner: The owner's name, Unassigned where there is none
  open_deals: Number of open deals
  amount: Their value in US dollars, of those that have one
  weighted_amount: Their value, each weighted by its stage's chance of winning
  deals_without_amount: How many of them have no amount
  slipped_deals: How many were past their expected close day
  slipped_amount: Value of those
  stalled_deals: How many had been in their stage for more than 30 days
  stalled_amount: Value of those
expectations:
  - {kind: not_null, columns: [day, stage_id, stage, owner, open_deals, amount, weighted_amount]}
  - {kind: between, column: open_deals, min: 1}
  - {kind: between, columns: [deals_without_amount, slipped_deals, stalled_deals], min: 0}
---*/
WITH versions AS (
    SELECT
        stage_id,
        owner_id,
        amount,
        amount * CAST(probability AS DECIMAL(9, 6)) AS weighted_amount,
        CAST(CONVERT_TIMEZONE('UTC', :timezone, valid_from) AS DATE) AS from_day,
        CAST(CONVERT_TIMEZONE('UTC', :timezone, valid_to) AS DATE) AS to_day,
        CAST(DATEADD('day', 1, close_on) AS DATE) AS slipped_from,
        CAST(DATEADD('day', 31, stage_since) AS DATE) AS stalled_from
    FROM marts.deal_states
    WHERE is_open AND stage_id IS NOT NULL
),

-- What is true of a version, and from when to when; a version that ends on the day it began was true at no day's end.
spans AS (
    SELECT 'open' AS what, from_day AS begins, to_day, stage_id, owner_id, amount, weighted_amount
    FROM versions
    UNION ALL
    SELECT
        'slipped' AS what,
        CASE WHEN slipped_from > from_day THEN slipped_from ELSE from_day END AS begins,
        to_day,
        stage_id,
        owner_id,
        amount,
        weighted_amount
    FROM versions
    WHERE slipped_from IS NOT NULL
    UNION ALL
    SELECT
        'stalled' AS what,
        CASE WHEN stalled_from > from_day THEN stalled_from ELSE from_day END AS begins,
        to_day,
        stage_id,
        owner_id,
        amount,
        weighted_amount
    FROM versions
    WHERE stalled_from IS NOT NULL
),

steps AS (
    SELECT what, begins AS day, stage_id, owner_id, 1 AS deals, amount, weighted_amount
    FROM spans
    WHERE to_day IS NULL OR begins < to_day
    UNION ALL
    SELECT what, to_day AS day, stage_id, owner_id, -1 AS deals, -amount, -weighted_amount
    FROM spans
    WHERE begins < to_day
),

changes AS (
    -- What began before the first day of the calendar stands on it.
    SELECT
        CASE WHEN steps.day < bounds.first_day THEN bounds.first_day ELSE steps.day END AS day,
        steps.stage_id,
        steps.owner_id,
        SUM(CASE WHEN what = 'open' THEN deals ELSE 0 END) AS open_deals,
        SUM(CASE WHEN what = 'open' THEN COALESCE(amount, 0) ELSE 0 END) AS amount,
        SUM(CASE WHEN what = 'open' THEN COALESCE(weighted_amount, 0) ELSE 0 END) AS weighted_amount,
        SUM(CASE WHEN what = 'open' AND amount IS NULL THEN deals ELSE 0 END) AS deals_without_amount,
        SUM(CASE WHEN what = 'slipped' THEN deals ELSE 0 END) AS slipped_deals,
        SUM(CASE WHEN what = 'slipped' THEN COALESCE(amount, 0) ELSE 0 END) AS slipped_amount,
        SUM(CASE WHEN what = 'stalled' THEN deals ELSE 0 END) AS stalled_deals,
        SUM(CASE WHEN what = 'stalled' THEN COALESCE(amount, 0) ELSE 0 END) AS stalled_amount
    FROM steps
    CROSS JOIN (SELECT MIN(day) AS first_day FROM staging.days) AS bounds
    GROUP BY
        CASE WHEN steps.day < bounds.first_day THEN bounds.first_day ELSE steps.day END,
        steps.stage_id,
        steps.owner_id
),

every_day AS (
    SELECT * FROM changes
    UNION ALL
    SELECT days.day, holders.stage_id, holders.owner_id, 0, 0, 0, 0, 0, 0, 0, 0
    FROM (SELECT DISTINCT stage_id, owner_id FROM changes) AS holders
    CROSS JOIN staging.days AS days
),

running AS (
    SELECT
        day,
        stage_id,
        owner_id,
        SUM(SUM(open_deals)) OVER (PARTITION BY stage_id, owner_id ORDER BY day) AS open_deals,
        SUM(SUM(amount)) OVER (PARTITION BY stage_id, owner_id ORDER BY day) AS amount,
        SUM(SUM(weighted_amount)) OVER (PARTITION BY stage_id, owner_id ORDER BY day) AS weighted_amount,
        SUM(SUM(deals_without_amount)) OVER (PARTITION BY stage_id, owner_id ORDER BY day) AS deals_without_amount,
        SUM(SUM(slipped_deals)) OVER (PARTITION BY stage_id, owner_id ORDER BY day) AS slipped_deals,
        SUM(SUM(slipped_amount)) OVER (PARTITION BY stage_id, owner_id ORDER BY day) AS slipped_amount,
        SUM(SUM(stalled_deals)) OVER (PARTITION BY stage_id, owner_id ORDER BY day) AS stalled_deals,
        SUM(SUM(stalled_amount)) OVER (PARTITION BY stage_id, owner_id ORDER BY day) AS stalled_amount
    FROM every_day
    GROUP BY day, stage_id, owner_id
)

SELECT
    running.day,
    CAST(DATEADD('day', 1, running.day) AS DATE) AS day_after,
    running.stage_id,
    COALESCE(stages.stage, running.stage_id) AS stage,
    stages.stage_order,
    running.owner_id,
    COALESCE(owners.owner, 'Unassigned') AS owner,
    running.open_deals,
    running.amount,
    running.weighted_amount,
    running.deals_without_amount,
    running.slipped_deals,
    running.slipped_amount,
    running.stalled_deals,
    running.stalled_amount
FROM running
INNER JOIN staging.days ON running.day = days.day
LEFT JOIN staging.stages ON running.stage_id = stages.stage_id
LEFT JOIN staging.owners ON running.owner_id = owners.owner_id
WHERE running.open_deals > 0
