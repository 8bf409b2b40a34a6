/*---
description: >-
  The sales department's own list of deals, made uniform: names and stages without stray spaces, stages written alike,
  gaps filled in. What was filled in is marked, so that it can be counted and left out.
owner: team:revenue
grain: [deal_id]
columns:
  deal_id: HubSpot deal id
  deal_name: The deal's name, without spaces that say nothing; Unnamed deal where there is none
  account_id: HubSpot company id
  account: That company's name, as the list has it
  stage: Stage in words, written alike; Unknown where there is none
  is_won: Whether the stage says that the deal is won
  amount: Amount in US dollars, 0 where nobody has estimated it
  probability: Chance of winning, 0 to 1, 0 where nobody has estimated it
  close_on: Expected or actual close day
  last_activity_on: Last day on which anybody worked on the deal
  updated_at: When the row last changed (UTC)
  amount_given: Whether the list has an amount
  probability_given: Whether the list has a probability
  stage_given: Whether the list has a stage
expectations:
  - {kind: not_null, columns: [deal_id, deal_name, amount, stage]}
  - {kind: between, column: amount, min: 0}
  - {kind: between, column: probability, min: 0, max: 1}
  - kind: one_of
    columns: [amount_given, probability_given]
    values: [true]
    mostly: 0.9
    severity: warn
    recovery: Ask the deals' owners to estimate them; until then 0 stands in their place.
  - kind: one_of
    column: stage_given
    values: [true]
    mostly: 0.99
    severity: warn
    recovery: Give every deal a stage in the list; until then it counts as Unknown.
---*/
WITH tidied AS (
    SELECT
        deal_id,
        NULLIF(TRIM(REGEXP_REPLACE(deal_name, '[[:space:]]+', ' ')), '') AS deal_name,
        account_id,
        NULLIF(TRIM(REGEXP_REPLACE(account_name, '[[:space:]]+', ' ')), '') AS account,
        NULLIF(TRIM(REGEXP_REPLACE(stage, '[[:space:]_]+', ' ')), '') AS stage,
        amount,
        probability,
        CAST(close_date AS DATE) AS close_on,
        CAST(last_activity_date AS DATE) AS last_activity_on,
        updated_at
    FROM snowflake.sales_deals
    WHERE _deleted_at IS NULL
)

SELECT
    deal_id,
    COALESCE(deal_name, 'Unnamed deal') AS deal_name,
    account_id,
    account,
    COALESCE(UPPER(LEFT(stage, 1)) || LOWER(SUBSTR(stage, 2)), 'Unknown') AS stage,
    COALESCE(LOWER(REPLACE(stage, ' ', '')) = 'closedwon', FALSE) AS is_won,
    COALESCE(amount, 0) AS amount,
    COALESCE(probability, 0) AS probability,
    close_on,
    last_activity_on,
    updated_at,
    amount IS NOT NULL AS amount_given,
    probability IS NOT NULL AS probability_given,
    stage IS NOT NULL AS stage_given
FROM tidied
