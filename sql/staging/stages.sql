/*---
description: Stages of the deal pipelines, with what each means for a deal.
owner: team:revenue
grain: [stage_id]
columns:
  stage_id: HubSpot stage id
  stage: The stage's name as it is shown
  stage_order: Position in the pipeline, from 0
  probability: Chance of winning that HubSpot gives the stage, 0 to 1
  is_open: Whether deals in it are still open
  is_won: Whether deals in it are won
---*/
SELECT
    stage_id,
    stage_label AS stage,
    display_order AS stage_order,
    probability,
    NOT is_closed AS is_open,
    is_closed AND probability >= 1 AS is_won
FROM hubspot.pipeline_stages
WHERE _deleted_at IS NULL
QUALIFY ROW_NUMBER() OVER (PARTITION BY stage_id ORDER BY pipeline_id) = 1
