/*---
description: >-
  How each account is set up in the product through time: plan, seats, how many of them are used, when somebody
  was last seen. One row per version as it was read; of the time before an account was first read nothing is known.
owner: team:product
grain: [account_id, valid_from]
named_by: [staging.accounts]
optional: [staging.account_keys]
columns:
  account_id: HubSpot company id, the product's own id where the CRM does not know it
  account: The account's name, as in the CRM where it is known there
  plan: Plan that the account is on
  seats: Seats paid for
  active_seats: People who use the product
  seat_share: Active seats per seat, above 1 where more people use it than are paid for; empty without seats
  free_seats: Seats that nobody uses, negative where more people use it than are paid for
  last_seen_on: Day on which somebody of the account last used the product (business time zone)
  valid_from: Since when this version was known (UTC)
  valid_to: Until when, empty for the current one (UTC)
expectations:
  - {kind: not_null, columns: [account_id, account, valid_from]}
  - {kind: between, columns: [seats, active_seats, seat_share], min: 0}
---*/
WITH versions AS (
    SELECT
        account_id,
        account_name,
        plan,
        seats,
        active_seats,
        last_seen_at,
        _known_from AS valid_from,
        _deleted_at AS valid_to
    FROM redis.account_usage
    WHERE _deleted_at IS NULL OR _known_from < _deleted_at
    UNION ALL
    SELECT
        account_id,
        account_name,
        plan,
        seats,
        active_seats,
        last_seen_at,
        _known_from AS valid_from,
        _known_to AS valid_to
    FROM history.redis_account_usage
),

resolved AS (
    SELECT
        versions.*,
        COALESCE(keys.account_id, versions.account_id) AS crm_account_id
    FROM versions
    LEFT JOIN staging.account_keys AS keys
        ON keys.system = 'redis' AND keys.kind = 'id' AND TRIM(versions.account_id) = keys.key
    -- Two of the product's accounts that are one customer: the larger one speaks for it.
    QUALIFY
        ROW_NUMBER() OVER (
            PARTITION BY COALESCE(keys.account_id, versions.account_id), versions.valid_from
            ORDER BY versions.seats DESC NULLS LAST, versions.account_id
        ) = 1
)

SELECT
    resolved.crm_account_id AS account_id,
    COALESCE(accounts.account, resolved.account_name, 'Account ' || resolved.account_id) AS account,
    resolved.plan,
    resolved.seats,
    resolved.active_seats,
    ROUND(CAST(resolved.active_seats AS DOUBLE) / NULLIF(resolved.seats, 0), 6) AS seat_share,
    resolved.seats - resolved.active_seats AS free_seats,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, resolved.last_seen_at) AS DATE) AS last_seen_on,
    resolved.valid_from,
    resolved.valid_to
FROM resolved
LEFT JOIN staging.accounts ON resolved.crm_account_id = accounts.account_id
