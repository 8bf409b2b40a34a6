/*---
description: >-
  What each account did in the product on each day. A day on which an account did nothing has no row; of days
  before the product's first count nothing is known.
owner: team:product
grain: [day, account_id]
named_by: [staging.accounts]
optional: [staging.account_keys]
columns:
  day: The day, as the product dates it
  account_id: HubSpot company id, the product's own id where the CRM does not know it
  account: The account's name
  active_users: People who used the product
  sessions: Sessions
  actions: Actions
expectations:
  - {kind: not_null, columns: [day, account_id, account]}
  - {kind: between, columns: [active_users, sessions, actions], min: 0}
---*/
WITH counts AS (
    SELECT
        usage.day,
        COALESCE(keys.account_id, usage.account_id) AS account_id,
        SUM(CASE WHEN usage.counter = 'active_users' THEN usage.value END) AS active_users,
        SUM(CASE WHEN usage.counter = 'sessions' THEN usage.value END) AS sessions,
        SUM(CASE WHEN usage.counter = 'actions' THEN usage.value END) AS actions
    FROM redis.daily_usage AS usage
    LEFT JOIN staging.account_keys AS keys
        ON keys.system = 'redis' AND keys.kind = 'id' AND TRIM(usage.account_id) = keys.key
    WHERE usage._deleted_at IS NULL AND usage.account_id IS NOT NULL
    GROUP BY usage.day, COALESCE(keys.account_id, usage.account_id)
)

SELECT
    counts.day,
    counts.account_id,
    COALESCE(accounts.account, 'Account ' || counts.account_id) AS account,
    counts.active_users,
    counts.sessions,
    counts.actions
FROM counts
LEFT JOIN staging.accounts ON counts.account_id = accounts.account_id
