/*---
description: Recurring revenue through time, one row per subscription term; keep the terms that cover a day to read it.
owner: team:finance
grain: [term_id]
columns:
  term_id: Id of the term
  subscription_id: Subscription that the term belongs to
  account_id: HubSpot company id, the finance system's own id or name where the CRM does not know it
  account: The account's name
  plan: Plan sold
  seats: Seats sold
  mrr: Monthly recurring revenue in US dollars
  valid_from: First day of the term
  valid_to: Day after the last day of the term, empty while it runs
  renewal_date: Day the term renews
expectations:
  - {kind: not_null, columns: [term_id, account_id, mrr, valid_from]}
  - {kind: between, columns: [mrr, seats], min: 0}
---*/
SELECT
    term_id,
    subscription_id,
    account_id,
    account,
    plan,
    seats,
    mrr,
    valid_from,
    valid_to,
    renewal_date
FROM staging.subscription_terms
