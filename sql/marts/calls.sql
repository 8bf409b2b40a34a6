/*---
description: Recorded calls with customers and prospects, with the account and the person who held them.
owner: team:customer
grain: [call_id]
named_by: [staging.accounts, gong.users]
columns:
  call_id: Gong call id
  title: Title of the call
  account_id: HubSpot company id, empty where Gong could not tell
  account: The account's name
  host: Employee who held the call
  started_on: Day the call started (business time zone)
  minutes: Length in minutes
expectations:
  - {kind: not_null, columns: [call_id, started_on]}
  - {kind: not_null, column: account_id, mostly: 0.5, severity: warn}
  - {kind: between, column: minutes, min: 0}
---*/
SELECT
    calls.call_id,
    calls.title,
    calls.company_id AS account_id,
    COALESCE(accounts.account, calls.company_name) AS account,
    TRIM(COALESCE(users.first_name, '') || ' ' || COALESCE(users.last_name, '')) AS host,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, calls.started_at) AS DATE) AS started_on,
    calls.duration_s / 60.0 AS minutes
FROM gong.calls AS calls
LEFT JOIN gong.users AS users ON calls.primary_user_id = users.user_id
LEFT JOIN staging.accounts ON calls.company_id = accounts.account_id
WHERE calls._deleted_at IS NULL
