/*---
description: >-
  Every version a deal has had: stage, amount, close date, owner and name as they stood from one change to the next.
  A property whose history the CRM does not give has had its present value since the deal's creation. A deal that was
  archived has no version from then on, until it came back.
owner: team:revenue
grain: [deal_id, valid_from]
columns:
  deal_id: HubSpot deal id
  valid_from: When this version began (UTC)
  valid_to: When the next version began or the deal was archived, empty for the current one (UTC)
  deal: The deal's name at that time
  owner_id: HubSpot owner who sold the deal at that time
  stage_id: Stage at that time
  amount: Amount in US dollars at that time
  close_on: Expected or actual close day at that time
---*/
WITH present AS (
    SELECT deal_id, 'dealstage' AS property, created_at AS changed_at, stage_id AS value
    FROM hubspot.deals
    UNION ALL
    SELECT deal_id, 'amount' AS property, created_at AS changed_at, CAST(amount AS VARCHAR) AS value
    FROM hubspot.deals
    WHERE amount IS NOT NULL
    UNION ALL
    SELECT deal_id, 'closedate' AS property, created_at AS changed_at, CAST(close_date AS VARCHAR) AS value
    FROM hubspot.deals
    WHERE close_date IS NOT NULL
    UNION ALL
    SELECT deal_id, 'hubspot_owner_id' AS property, created_at AS changed_at, owner_id AS value
    FROM hubspot.deals
    WHERE owner_id IS NOT NULL
    UNION ALL
    SELECT deal_id, 'dealname' AS property, created_at AS changed_at, name AS value
    FROM hubspot.deals
    WHERE name IS NOT NULL
),

spans AS (
    SELECT deal_id, _known_from AS known_from, _deleted_at AS known_to
    FROM hubspot.deals
    UNION ALL
    SELECT deal_id, _known_from AS known_from, _known_to AS known_to
    FROM history.hubspot_deals
),

-- A version ended without another in its place: the deal was archived.
archivals AS (
    SELECT ended.deal_id, ended.known_to AS archived_at
    FROM spans AS ended
    LEFT JOIN spans AS began
        ON ended.deal_id = began.deal_id AND ended.known_to = began.known_from
        AND (began.known_to IS NULL OR began.known_from < began.known_to)
    WHERE ended.known_to IS NOT NULL AND began.deal_id IS NULL
),

known AS (
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
    FROM present
    LEFT JOIN hubspot.deal_history AS history
        ON present.deal_id = history.deal_id AND present.property = history.property AND history._deleted_at IS NULL
    WHERE history.deal_id IS NULL
    UNION ALL
    SELECT deal_id, 'archived' AS property, archived_at AS changed_at, 'yes' AS value
    FROM archivals
    UNION ALL
    SELECT spans.deal_id, 'archived' AS property, spans.known_from AS changed_at, 'no' AS value
    FROM spans
    INNER JOIN archivals ON spans.deal_id = archivals.deal_id AND spans.known_from > archivals.archived_at
    WHERE spans.known_to IS NULL OR spans.known_from < spans.known_to
),

changes AS (
    SELECT
        deal_id,
        changed_at,
        MAX(CASE WHEN property = 'dealstage' THEN value END) AS stage_id,
        MAX(CASE WHEN property = 'amount' THEN value END) AS amount_text,
        MAX(CASE WHEN property = 'closedate' THEN value END) AS close_text,
        MAX(CASE WHEN property = 'hubspot_owner_id' THEN value END) AS owner_id,
        MAX(CASE WHEN property = 'dealname' THEN value END) AS deal,
        MAX(CASE WHEN property = 'archived' THEN value END) AS archived
    FROM known
    GROUP BY deal_id, changed_at
),

filled AS (
    SELECT
        deal_id,
        changed_at AS valid_from,
        LEAD(changed_at) OVER (PARTITION BY deal_id ORDER BY changed_at) AS valid_to,
        LAST_VALUE(deal IGNORE NULLS) OVER (
            PARTITION BY deal_id ORDER BY changed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS deal,
        LAST_VALUE(owner_id IGNORE NULLS) OVER (
            PARTITION BY deal_id ORDER BY changed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS owner_id,
        LAST_VALUE(stage_id IGNORE NULLS) OVER (
            PARTITION BY deal_id ORDER BY changed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stage_id,
        TRY_CAST(LAST_VALUE(amount_text IGNORE NULLS) OVER (
            PARTITION BY deal_id ORDER BY changed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS DECIMAL(18, 4)) AS amount,
        TRY_CAST(REPLACE(LAST_VALUE(close_text IGNORE NULLS) OVER (
            PARTITION BY deal_id ORDER BY changed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ), 'Z', '') AS TIMESTAMP) AS close_at,
        LAST_VALUE(archived IGNORE NULLS) OVER (
            PARTITION BY deal_id ORDER BY changed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS archived
    FROM changes
)

SELECT
    deal_id,
    valid_from,
    valid_to,
    COALESCE(NULLIF(TRIM(deal), ''), 'Deal ' || deal_id) AS deal,
    NULLIF(owner_id, '') AS owner_id,
    stage_id,
    amount,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, close_at) AS DATE) AS close_on
FROM filled
WHERE COALESCE(archived, 'no') = 'no'
