/*---
description: Recurring revenue through time, one row per subscription term; keep the terms that cover a day to read it.
owner: team:finance
grain: [term_id]
columns:
  term_id: Id of the term
  subscription_id: Subscription that the term belongs to
  account_id: HubSpot company id
  account: The account's name
  plan: Plan sold
  mrr: Monthly recurring revenue in US dollars
  valid_from: First day of the term
  valid_to: Day after the last day of the term, empty while it runs
  renewal_date: Day the term renews
---*/
SELECT
    term_id,
    subscription_id,
    account_id,
    account,
    plan,
    mrr,
    valid_from,
    valid_to,
    renewal_date
FROM staging.subscription_terms
