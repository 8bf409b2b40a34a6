/*---
description: >-
  Every version a deal has had: stage, amount and close date as they stood from one change to the next.
  A deal whose history the CRM does not give has one version, from its creation.
owner: team:revenue
grain: [deal_id, valid_from]
columns:
  deal_id: HubSpot deal id
  valid_from: When this version began (UTC)
  valid_to: When the next version began, empty for the current one (UTC)
  stage_id: Stage at that time
  amount: Amount in US dollars at that time
  close_on: Expected or actual close day at that time
---*/
WITH changes AS (
    SELECT
        deal_id,
        changed_at,
        MAX(CASE WHEN property = 'dealstage' THEN value END) AS stage_id,
        MAX(CASE WHEN property = 'amount' THEN value END) AS amount_text,
        MAX(CASE WHEN property = 'closedate' THEN value END) AS close_text
    FROM hubspot.deal_history
    WHERE _deleted_at IS NULL
    GROUP BY deal_id, changed_at
),

filled AS (
    SELECT
        deal_id,
        changed_at AS valid_from,
        LEAD(changed_at) OVER (PARTITION BY deal_id ORDER BY changed_at) AS valid_to,
        LAST_VALUE(stage_id IGNORE NULLS) OVER (
            PARTITION BY deal_id ORDER BY changed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stage_id,
        TRY_CAST(LAST_VALUE(amount_text IGNORE NULLS) OVER (
            PARTITION BY deal_id ORDER BY changed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS DECIMAL(18, 4)) AS amount,
        TRY_CAST(REPLACE(LAST_VALUE(close_text IGNORE NULLS) OVER (
            PARTITION BY deal_id ORDER BY changed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ), 'Z', '') AS TIMESTAMP) AS close_at
    FROM changes
)

SELECT
    deal_id,
    valid_from,
    valid_to,
    stage_id,
    amount,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, close_at) AS DATE) AS close_on
FROM filled
UNION ALL
SELECT
    deals.deal_id,
    deals.created_at AS valid_from,
    CAST(NULL AS TIMESTAMP) AS valid_to,
    deals.stage_id,
    deals.amount,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, deals.close_date) AS DATE) AS close_on
FROM hubspot.deals
LEFT JOIN filled ON deals.deal_id = filled.deal_id
WHERE filled.deal_id IS NULL AND deals._deleted_at IS NULL
