/*---
description: >-
  The one account of each deal from one change of its associations to the next; the lowest company id where the
  CRM associated several. What a deal was first seen with stands for the time before, too.
owner: team:revenue
grain: [deal_id, valid_from]
columns:
  deal_id: HubSpot deal id
  account_id: HubSpot company id
  valid_from: From when the deal was with this account, 1900 for the first one (UTC)
  valid_to: When it was with another or none, empty for the current one (UTC)
---*/
WITH known AS (
    SELECT deal_id, company_id, _known_from AS known_from, _deleted_at AS known_to
    FROM hubspot.deal_companies
    UNION ALL
    SELECT deal_id, company_id, _known_from AS known_from, _known_to AS known_to
    FROM history.hubspot_deal_companies
),

dated AS (
    SELECT
        deal_id,
        company_id,
        CASE
            WHEN known_from = MIN(known_from) OVER (PARTITION BY deal_id) THEN CAST('1900-01-01' AS TIMESTAMP)
            ELSE known_from
        END AS valid_from,
        known_to AS valid_to
    FROM known
),

moments AS (
    SELECT deal_id, valid_from AS valid_from
    FROM dated
    UNION
    SELECT deal_id, valid_to AS valid_from
    FROM dated
    WHERE valid_to IS NOT NULL
),

chosen AS (
    SELECT
        moments.deal_id,
        moments.valid_from,
        COALESCE(MIN(dated.company_id), '') AS account_id
    FROM moments
    LEFT JOIN dated
        ON moments.deal_id = dated.deal_id
        AND dated.valid_from <= moments.valid_from
        AND (dated.valid_to IS NULL OR dated.valid_to > moments.valid_from)
    GROUP BY moments.deal_id, moments.valid_from
),

changed AS (
    SELECT *
    FROM chosen
    QUALIFY COALESCE(LAG(account_id) OVER (PARTITION BY deal_id ORDER BY valid_from), '') <> account_id
),

ended AS (
    SELECT
        deal_id,
        account_id,
        valid_from,
        LEAD(valid_from) OVER (PARTITION BY deal_id ORDER BY valid_from) AS valid_to
    FROM changed
)

SELECT
    deal_id,
    account_id,
    valid_from,
    valid_to
FROM ended
WHERE account_id <> ''
