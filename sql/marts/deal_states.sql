/*---
description: >-
  The pipeline through time: each version of each deal with its account, owner and stage in words, how
  long it has been in its stage and how often its close date has moved later. Read for any past day by
  keeping the versions valid at that day's end.
owner: team:revenue
grain: [deal_id, valid_from]
named_by: [staging.accounts, staging.owners, staging.deal_accounts]
columns:
  deal_id: HubSpot deal id
  deal: The deal's name
  account_id: HubSpot company id
  account: The account's name
  industry: The account's industry
  owner_id: HubSpot owner id
  owner: The owner's name, Unassigned where there is none
  stage_id: Stage id at that time
  stage: Stage name at that time
  stage_order: Position of the stage in the pipeline
  is_open: Whether the deal was open at that time
  is_won: Whether the deal was won at that time
  probability: Chance of winning that the stage carries, 0 to 1
  amount: Amount in US dollars at that time
  close_on: Expected or actual close day at that time
  created_on: Day the deal was created
  stage_since: Day the deal entered the stage it was in (business time zone)
  close_pushes: How often the close date had moved later until then, while the deal was open
  valid_from: When this version began (UTC)
  valid_to: When the next version began, empty for the current one (UTC)
---*/
WITH moves AS (
    SELECT
        deal_versions.*,
        stages.stage,
        stages.stage_order,
        stages.probability,
        COALESCE(stages.is_open, TRUE) AS is_open,
        COALESCE(stages.is_won, FALSE) AS is_won,
        LAG(deal_versions.stage_id) OVER (PARTITION BY deal_id ORDER BY valid_from) AS stage_before,
        LAG(close_on) OVER (PARTITION BY deal_id ORDER BY valid_from) AS close_before
    FROM staging.deal_versions
    LEFT JOIN staging.stages ON deal_versions.stage_id = stages.stage_id
),

versions AS (
    SELECT
        *,
        MAX(CASE WHEN stage_before IS NULL OR stage_before <> stage_id THEN valid_from END) OVER (
            PARTITION BY deal_id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stage_since,
        SUM(CASE WHEN is_open AND close_on > close_before THEN 1 ELSE 0 END) OVER (
            PARTITION BY deal_id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS close_pushes
    FROM moves
)

SELECT
    deals.deal_id,
    COALESCE(NULLIF(TRIM(deals.name), ''), 'Deal ' || deals.deal_id) AS deal,
    accounts.account_id,
    accounts.account,
    accounts.industry,
    deals.owner_id,
    COALESCE(owners.owner, 'Unassigned') AS owner,
    versions.stage_id,
    COALESCE(versions.stage, versions.stage_id) AS stage,
    versions.stage_order,
    versions.is_open,
    versions.is_won,
    versions.probability,
    versions.amount,
    versions.close_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, deals.created_at) AS DATE) AS created_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, versions.stage_since) AS DATE) AS stage_since,
    versions.close_pushes,
    versions.valid_from,
    versions.valid_to
FROM versions
INNER JOIN hubspot.deals ON versions.deal_id = deals.deal_id AND deals._deleted_at IS NULL
LEFT JOIN staging.owners ON deals.owner_id = owners.owner_id
LEFT JOIN staging.deal_accounts ON versions.deal_id = deal_accounts.deal_id
LEFT JOIN staging.accounts ON deal_accounts.account_id = accounts.account_id
