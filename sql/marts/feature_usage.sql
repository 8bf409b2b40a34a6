/*---
description: >-
  Which features of the product each account uses: how often in the last 30 days by the product's own count, and
  by whom and until when as far as its newest events tell.
owner: team:product
grain: [account_id, feature]
named_by: [staging.accounts]
optional: [staging.account_keys, redis.events]
columns:
  account_id: HubSpot company id, the product's own id where the CRM does not know it
  account: The account's name
  feature: The feature, as the product names it
  uses_30d: How often it was used in the last 30 days, empty where the product counts nothing for the account
  share: Part of the account's uses of all features, 0 to 1
  events: Events with the feature in the part of the stream that has been read
  users: People in those events
  last_used_on: Day of the newest of those events (business time zone)
expectations:
  - {kind: not_null, columns: [account_id, account, feature, events, users]}
  - {kind: between, columns: [uses_30d, events, users], min: 0}
  - {kind: between, column: share, min: 0, max: 1}
---*/
WITH counted AS (
    SELECT
        account_id,
        counts.key AS feature,
        TRY_CAST(CAST(counts.value AS VARCHAR) AS BIGINT) AS uses_30d
    FROM redis.account_usage AS usage
    CROSS JOIN LATERAL FLATTEN(input => usage.features) AS counts
    -- What is no object, but a mere text, has values without a key.
    WHERE usage._deleted_at IS NULL AND counts.key IS NOT NULL
),

happened AS (
    SELECT
        account_id,
        feature,
        COUNT(*) AS events,
        COUNT(DISTINCT user_id) AS users,
        MAX(occurred_at) AS last_used_at
    FROM redis.events
    WHERE _deleted_at IS NULL AND feature IS NOT NULL AND account_id IS NOT NULL
    GROUP BY account_id, feature
),

seen AS (
    SELECT account_id, feature, uses_30d, 0 AS events, 0 AS users, CAST(NULL AS TIMESTAMP) AS last_used_at
    FROM counted
    UNION ALL
    SELECT account_id, feature, NULL AS uses_30d, events, users, last_used_at
    FROM happened
),

resolved AS (
    SELECT
        COALESCE(keys.account_id, seen.account_id) AS account_id,
        seen.feature,
        SUM(seen.uses_30d) AS uses_30d,
        SUM(seen.events) AS events,
        SUM(seen.users) AS users,
        MAX(seen.last_used_at) AS last_used_at
    FROM seen
    LEFT JOIN staging.account_keys AS keys
        ON keys.system = 'redis' AND keys.kind = 'id' AND TRIM(seen.account_id) = keys.key
    GROUP BY COALESCE(keys.account_id, seen.account_id), seen.feature
)

SELECT
    resolved.account_id,
    COALESCE(accounts.account, 'Account ' || resolved.account_id) AS account,
    resolved.feature,
    resolved.uses_30d,
    ROUND(
        CAST(resolved.uses_30d AS DOUBLE)
        / NULLIF(SUM(resolved.uses_30d) OVER (PARTITION BY resolved.account_id), 0),
        6
    ) AS share,
    resolved.events,
    resolved.users,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, resolved.last_used_at) AS DATE) AS last_used_on
FROM resolved
LEFT JOIN staging.accounts ON resolved.account_id = accounts.account_id
