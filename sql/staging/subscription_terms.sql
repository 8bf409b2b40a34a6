/*---
description: Terms of subscriptions from the finance tables, under the account that the CRM knows them by.
owner: team:finance
grain: [term_id]
named_by: [staging.accounts]
optional: [staging.account_keys]
columns:
  term_id: Id of the term
  subscription_id: Subscription that the term belongs to
  account_id: HubSpot company id, the finance system's own id or name where the CRM does not know it
  account: The account's name, as in the CRM where it is known there
  plan: Plan sold
  seats: Seats sold
  mrr: Monthly recurring revenue in US dollars
  valid_from: First day of the term
  valid_to: Day after the last day of the term, empty while it runs
  renewal_date: Day the term renews
expectations:
  - {kind: not_null, columns: [term_id, account_id, account, mrr, valid_from]}
  - {kind: between, columns: [mrr, seats], min: 0}
---*/
WITH terms AS (
    SELECT
        *,
        CASE WHEN NULLIF(TRIM(account_id), '') IS NULL THEN 'name' ELSE 'id' END AS key_kind,
        COALESCE(NULLIF(TRIM(account_id), ''), NULLIF(TRIM(account_name), '')) AS key
    FROM snowflake.subscriptions
    WHERE _deleted_at IS NULL
)

SELECT
    terms.term_id,
    terms.subscription_id,
    COALESCE(keys.account_id, terms.key) AS account_id,
    COALESCE(accounts.account, terms.account_name, 'Account ' || terms.account_id) AS account,
    terms.plan,
    terms.seats,
    terms.mrr,
    terms.valid_from,
    terms.valid_to,
    terms.renewal_date
FROM terms
LEFT JOIN staging.account_keys AS keys
    ON keys.system = 'snowflake' AND terms.key_kind = keys.kind AND terms.key = keys.key
LEFT JOIN staging.accounts ON keys.account_id = accounts.account_id
