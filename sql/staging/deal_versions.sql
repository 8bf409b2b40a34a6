/*---
description: >-
  Every version a deal has had: stage, amount and close date as they stood from one change to the next.
  A property whose history the CRM does not give has had its present value since the deal's creation.
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
WITH known AS (
    -- An empty text, unlike NULL, ends the value before it: that property was cleared.
    SELECT
        deal_id,
        property,
        changed_at,
        COALESCE(value, '') AS value
    FROM hubspot.deal_history
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT
        present.deal_id,
        present.property,
        present.changed_at,
        present.value
    FROM (
        SELECT deal_id, 'dealstage' AS property, created_at AS changed_at, stage_id AS value
        FROM hubspot.deals
        WHERE _deleted_at IS NULL
        UNION ALL
        SELECT deal_id, 'amount' AS property, created_at AS changed_at, CAST(amount AS VARCHAR) AS value
        FROM hubspot.deals
        WHERE _deleted_at IS NULL AND amount IS NOT NULL
        UNION ALL
        SELECT deal_id, 'closedate' AS property, created_at AS changed_at, CAST(close_date AS VARCHAR) AS value
        FROM hubspot.deals
        WHERE _deleted_at IS NULL AND close_date IS NOT NULL
    ) AS present
    LEFT JOIN hubspot.deal_history AS history
        ON present.deal_id = history.deal_id AND present.property = history.property AND history._deleted_at IS NULL
    WHERE history.deal_id IS NULL
),

changes AS (
    SELECT
        deal_id,
        changed_at,
        MAX(CASE WHEN property = 'dealstage' THEN value END) AS stage_id,
        MAX(CASE WHEN property = 'amount' THEN value END) AS amount_text,
        MAX(CASE WHEN property = 'closedate' THEN value END) AS close_text
    FROM known
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
