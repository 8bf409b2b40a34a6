/*---
description: Terms of subscriptions from the finance tables, with the account's name as the CRM has it.
owner: team:finance
grain: [term_id]
named_by: [staging.accounts]
columns:
  term_id: Id of the term
  subscription_id: Subscription that the term belongs to
  account_id: HubSpot company id
  account: The account's name, as in the CRM where it is known there
  plan: Plan sold
  seats: Seats sold
  mrr: Monthly recurring revenue in US dollars
  valid_from: First day of the term
  valid_to: Day after the last day of the term, empty while it runs
  renewal_date: Day the term renews
---*/
SELECT
    terms.term_id,
    terms.subscription_id,
    terms.account_id,
    COALESCE(accounts.account, terms.account_name, 'Account ' || terms.account_id) AS account,
    terms.plan,
    terms.seats,
    terms.mrr,
    terms.valid_from,
    terms.valid_to,
    terms.renewal_date
FROM snowflake.subscriptions AS terms
LEFT JOIN staging.accounts ON terms.account_id = accounts.account_id
WHERE terms._deleted_at IS NULL
