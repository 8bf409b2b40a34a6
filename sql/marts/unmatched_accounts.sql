/*---
description: >-
  What could not be brought to an account: ids, names, labels, channels and calls that fit no company of the CRM or
  several of them, and rows that name no account although every row of their table should.
owner: team:customer
grain: [system, kind, key]
optional: [hubspot.deals, staging.deal_accounts, snowflake.sales_deals, snowflake.subscriptions, snowflake.invoices,
  snowflake.satisfaction, redis.daily_usage]
columns:
  system: The system that names the account
  kind: What the key is; id, name, label, channel, call, or table for all rows of a table that name no account
  key: The id, the name, the label's, channel's or call's id, or the table
  name: The account's name there, empty where there is none
  rows_affected: How many rows of the system carry the key
  candidates: How many accounts it fits
  why: Why it could not be matched
  remedy: What brings it to an account
expectations:
  - {kind: not_null, columns: [system, kind, key, rows_affected, candidates, why, remedy]}
  - {kind: one_of, column: kind, values: [id, name, label, channel, call, table]}
  - {kind: between, column: rows_affected, min: 0}
---*/
WITH rows_without_account AS (
    SELECT 'hubspot.deals' AS table_name, COUNT(*) AS rows_affected
    FROM hubspot.deals AS deals
    LEFT JOIN staging.deal_accounts AS deal_accounts ON deals.deal_id = deal_accounts.deal_id
    WHERE deals._deleted_at IS NULL AND deal_accounts.deal_id IS NULL
    UNION ALL
    SELECT 'snowflake.sales_deals' AS table_name, COUNT(*) AS rows_affected
    FROM snowflake.sales_deals
    WHERE _deleted_at IS NULL AND COALESCE(NULLIF(TRIM(account_id), ''), NULLIF(TRIM(account_name), '')) IS NULL
    UNION ALL
    SELECT 'snowflake.subscriptions' AS table_name, COUNT(*) AS rows_affected
    FROM snowflake.subscriptions
    WHERE _deleted_at IS NULL AND COALESCE(NULLIF(TRIM(account_id), ''), NULLIF(TRIM(account_name), '')) IS NULL
    UNION ALL
    SELECT 'snowflake.invoices' AS table_name, COUNT(*) AS rows_affected
    FROM snowflake.invoices
    WHERE _deleted_at IS NULL AND COALESCE(NULLIF(TRIM(account_id), ''), NULLIF(TRIM(account_name), '')) IS NULL
    UNION ALL
    SELECT 'snowflake.satisfaction' AS table_name, COUNT(*) AS rows_affected
    FROM snowflake.satisfaction
    WHERE _deleted_at IS NULL AND COALESCE(NULLIF(TRIM(account_id), ''), NULLIF(TRIM(account_name), '')) IS NULL
    UNION ALL
    SELECT 'redis.daily_usage' AS table_name, COUNT(*) AS rows_affected
    FROM redis.daily_usage
    WHERE _deleted_at IS NULL AND NULLIF(TRIM(account_id), '') IS NULL
)

SELECT
    system,
    kind,
    key,
    name,
    rows_named AS rows_affected,
    candidates,
    CASE
        WHEN kind = 'call' AND candidates > 1 THEN 'its guests are of several accounts'
        WHEN kind = 'call' THEN 'its guests are of no known account'
        WHEN candidates > 1 THEN 'several accounts have this name'
        WHEN is_archived THEN 'the CRM has archived this company'
        ELSE 'the CRM has no such company'
    END AS why,
    CASE
        WHEN kind = 'call' THEN 'Link the call to its company in Gong'
        WHEN candidates > 1 THEN 'Tell the companies apart by their names in the CRM, or merge them there'
        WHEN is_archived THEN 'Restore the company in the CRM, or give the rows another company'
        WHEN kind = 'label' THEN 'Rename the label to the company''s name in the CRM'
        WHEN kind = 'channel' THEN 'Rename the channel to ext- or cust- and the company''s name in the CRM'
        ELSE 'Add the company to the CRM, or correct the name where it is written'
    END AS remedy
FROM staging.account_matches
WHERE account_id IS NULL
UNION ALL
SELECT
    SPLIT_PART(table_name, '.', 1) AS system,
    'table' AS kind,
    table_name AS key,
    CAST(NULL AS VARCHAR) AS name,
    rows_affected,
    0 AS candidates,
    'these rows name no account' AS why,
    'Give the rows their account in the source system' AS remedy
FROM rows_without_account
WHERE rows_affected > 0
