/*---
description: >-
  Stages of the deal pipelines as they were set up from one change to the next. The first version that is known
  stands for the time before it, too.
owner: team:revenue
grain: [stage_id, valid_from]
columns:
  stage_id: HubSpot stage id
  stage: The stage's name at that time
  stage_order: Position in the pipeline at that time, from 0
  probability: Chance of winning that HubSpot gave the stage, 0 to 1
  is_open: Whether deals in it were still open
  is_won: Whether deals in it were won
  valid_from: When this version began, 1900 for the first one (UTC)
  valid_to: When the next version began or the stage was removed, empty for the current one (UTC)
---*/
WITH known AS (
    SELECT
        pipeline_id, stage_id, stage_label, display_order, probability, is_closed,
        _known_from AS known_from, _deleted_at AS known_to
    FROM hubspot.pipeline_stages
    UNION ALL
    SELECT
        pipeline_id, stage_id, stage_label, display_order, probability, is_closed,
        _known_from AS known_from, _known_to AS known_to
    FROM history.hubspot_pipeline_stages
),

-- A stage that several pipelines share is the first one's, of those that still have it.
pipelines AS (
    SELECT
        stage_id,
        pipeline_id
    FROM known
    GROUP BY stage_id, pipeline_id
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY stage_id ORDER BY CASE WHEN COUNT(*) > COUNT(known_to) THEN 0 ELSE 1 END, pipeline_id
    ) = 1
),

dated AS (
    SELECT
        known.*,
        CASE
            WHEN ROW_NUMBER() OVER (PARTITION BY known.stage_id ORDER BY known.known_from) = 1
                THEN CAST('1900-01-01' AS TIMESTAMP)
            ELSE known.known_from
        END AS valid_from
    FROM known
    INNER JOIN pipelines ON known.stage_id = pipelines.stage_id AND known.pipeline_id = pipelines.pipeline_id
)

SELECT
    stage_id,
    stage_label AS stage,
    display_order AS stage_order,
    probability,
    NOT is_closed AS is_open,
    is_closed AND probability >= 1 AS is_won,
    valid_from,
    known_to AS valid_to
FROM dated
WHERE known_to IS NULL OR valid_from < known_to
