/*---
description: >-
  The pipeline through time: each version of each deal with its account, owner and stage in words as they were
  then, how long it has been in its stage and how often its close date has moved later. Read for any past day
  by keeping the versions valid at that day's end; a deal has none while it is archived.
owner: team:revenue
grain: [deal_id, valid_from]
named_by: [staging.account_versions, staging.owner_versions, staging.deal_account_versions]
columns:
  deal_id: HubSpot deal id
  deal: The deal's name at that time
  account_id: HubSpot company id at that time
  account: The account's name at that time
  industry: The account's industry at that time
  owner_id: HubSpot owner id at that time
  owner: The owner's name at that time, Unassigned where there was none
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
expectations:
  - {kind: not_null, columns: [deal_id, valid_from, deal, owner, is_open, is_won]}
  - {kind: between, column: probability, min: 0, max: 1}
  - {kind: between, column: close_pushes, min: 0}
---*/
WITH moves AS (
    SELECT
        deal_versions.*,
        COALESCE(stages.is_open, TRUE) AS was_open,
        LAG(deal_versions.stage_id) OVER (PARTITION BY deal_id ORDER BY deal_versions.valid_from) AS stage_before,
        LAG(close_on) OVER (PARTITION BY deal_id ORDER BY deal_versions.valid_from) AS close_before
    FROM staging.deal_versions
    LEFT JOIN staging.stage_versions AS stages
        ON deal_versions.stage_id = stages.stage_id
        AND stages.valid_from <= deal_versions.valid_from
        AND (stages.valid_to IS NULL OR stages.valid_to > deal_versions.valid_from)
),

versions AS (
    SELECT
        *,
        MAX(CASE WHEN stage_before IS NULL OR stage_before <> stage_id THEN valid_from END) OVER (
            PARTITION BY deal_id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stage_since,
        SUM(CASE WHEN was_open AND close_on > close_before THEN 1 ELSE 0 END) OVER (
            PARTITION BY deal_id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS close_pushes
    FROM moves
),

-- When a deal's words changed though the deal itself did not: its account, or a name in the CRM.
word_changes AS (
    SELECT deal_id, valid_from AS changed_at
    FROM staging.deal_account_versions
    UNION
    SELECT deal_id, valid_to AS changed_at
    FROM staging.deal_account_versions
    UNION
    SELECT links.deal_id, accounts.valid_from AS changed_at
    FROM staging.deal_account_versions AS links
    INNER JOIN staging.account_versions AS accounts ON links.account_id = accounts.account_id
    UNION
    SELECT links.deal_id, accounts.valid_to AS changed_at
    FROM staging.deal_account_versions AS links
    INNER JOIN staging.account_versions AS accounts ON links.account_id = accounts.account_id
    UNION
    SELECT versions.deal_id, owners.valid_from AS changed_at
    FROM versions
    INNER JOIN staging.owner_versions AS owners ON versions.owner_id = owners.owner_id
    UNION
    SELECT versions.deal_id, owners.valid_to AS changed_at
    FROM versions
    INNER JOIN staging.owner_versions AS owners ON versions.owner_id = owners.owner_id
    UNION
    SELECT versions.deal_id, stages.valid_from AS changed_at
    FROM versions
    INNER JOIN staging.stage_versions AS stages ON versions.stage_id = stages.stage_id
    UNION
    SELECT versions.deal_id, stages.valid_to AS changed_at
    FROM versions
    INNER JOIN staging.stage_versions AS stages ON versions.stage_id = stages.stage_id
),

pieces AS (
    SELECT
        deal_id,
        valid_from,
        valid_from AS piece_from
    FROM versions
    UNION
    SELECT
        versions.deal_id,
        versions.valid_from,
        word_changes.changed_at AS piece_from
    FROM versions
    INNER JOIN word_changes
        ON versions.deal_id = word_changes.deal_id
        AND word_changes.changed_at > versions.valid_from
        AND (versions.valid_to IS NULL OR word_changes.changed_at < versions.valid_to)
),

ended AS (
    SELECT
        *,
        LEAD(piece_from) OVER (PARTITION BY deal_id, valid_from ORDER BY piece_from) AS piece_to
    FROM pieces
)

SELECT
    versions.deal_id,
    versions.deal,
    accounts.account_id,
    accounts.account,
    accounts.industry,
    versions.owner_id,
    COALESCE(owners.owner, 'Unassigned') AS owner,
    versions.stage_id,
    COALESCE(stages.stage, versions.stage_id) AS stage,
    stages.stage_order,
    COALESCE(stages.is_open, TRUE) AS is_open,
    COALESCE(stages.is_won, FALSE) AS is_won,
    stages.probability,
    versions.amount,
    versions.close_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, deals.created_at) AS DATE) AS created_on,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, versions.stage_since) AS DATE) AS stage_since,
    versions.close_pushes,
    ended.piece_from AS valid_from,
    COALESCE(ended.piece_to, versions.valid_to) AS valid_to
FROM ended
INNER JOIN versions ON ended.deal_id = versions.deal_id AND ended.valid_from = versions.valid_from
INNER JOIN hubspot.deals ON versions.deal_id = deals.deal_id
LEFT JOIN staging.stage_versions AS stages
    ON versions.stage_id = stages.stage_id
    AND stages.valid_from <= ended.piece_from AND (stages.valid_to IS NULL OR stages.valid_to > ended.piece_from)
LEFT JOIN staging.owner_versions AS owners
    ON versions.owner_id = owners.owner_id
    AND owners.valid_from <= ended.piece_from AND (owners.valid_to IS NULL OR owners.valid_to > ended.piece_from)
LEFT JOIN staging.deal_account_versions AS links
    ON versions.deal_id = links.deal_id
    AND links.valid_from <= ended.piece_from AND (links.valid_to IS NULL OR links.valid_to > ended.piece_from)
LEFT JOIN staging.account_versions AS accounts
    ON links.account_id = accounts.account_id
    AND accounts.valid_from <= ended.piece_from AND (accounts.valid_to IS NULL OR accounts.valid_to > ended.piece_from)
