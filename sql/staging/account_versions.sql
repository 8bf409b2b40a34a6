/*---
description: >-
  Companies of the CRM as they were from one change to the next, names and industries tidied. The first version
  that is known stands for the time before it, too; one that was archived ends then.
owner: team:revenue
grain: [account_id, valid_from]
columns:
  account_id: HubSpot company id, the account's id everywhere
  account: The account's name at that time
  industry: Industry at that time, Unknown where the CRM had none
  owner_id: HubSpot owner who looked after the account at that time
  valid_from: When this version began, 1900 for the first one (UTC)
  valid_to: When the next version began or the company was archived, empty for the current one (UTC)
---*/
WITH known AS (
    SELECT company_id, name, industry, owner_id, _known_from AS known_from, _deleted_at AS known_to
    FROM hubspot.companies
    UNION ALL
    SELECT company_id, name, industry, owner_id, _known_from AS known_from, _known_to AS known_to
    FROM history.hubspot_companies
),

named AS (
    SELECT
        company_id AS account_id,
        COALESCE(NULLIF(TRIM(name), ''), 'Account ' || company_id) AS account,
        COALESCE(
            NULLIF(UPPER(LEFT(TRIM(industry), 1)) || LOWER(SUBSTR(REPLACE(TRIM(industry), '_', ' '), 2)), ''), 'Unknown'
        ) AS industry,
        COALESCE(owner_id, '') AS owner_id,
        CASE
            WHEN ROW_NUMBER() OVER (PARTITION BY company_id ORDER BY known_from) = 1 THEN CAST('1900-01-01' AS TIMESTAMP)
            ELSE known_from
        END AS known_from,
        known_to
    FROM known
),

marked AS (
    SELECT
        *,
        CASE
            WHEN LAG(known_to) OVER (PARTITION BY account_id ORDER BY known_from) = known_from
                AND LAG(account) OVER (PARTITION BY account_id ORDER BY known_from) = account
                AND LAG(industry) OVER (PARTITION BY account_id ORDER BY known_from) = industry
                AND LAG(owner_id) OVER (PARTITION BY account_id ORDER BY known_from) = owner_id THEN 0
            ELSE 1
        END AS is_change
    FROM named
    WHERE known_to IS NULL OR known_from < known_to
),

numbered AS (
    SELECT
        *,
        SUM(is_change) OVER (
            PARTITION BY account_id ORDER BY known_from ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS version
    FROM marked
)

SELECT
    account_id,
    MIN(account) AS account,
    MIN(industry) AS industry,
    NULLIF(MIN(owner_id), '') AS owner_id,
    MIN(known_from) AS valid_from,
    CASE WHEN COUNT(*) = COUNT(known_to) THEN MAX(known_to) END AS valid_to
FROM numbered
GROUP BY account_id, version
