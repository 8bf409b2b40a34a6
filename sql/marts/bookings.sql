/*---
description: >-
  Deals won, with what was booked: one row per version in which the deal counted as won. Keep the rows whose
  valid_to is empty for what counts now, and those valid at a past day's end for what counted then.
owner: team:revenue
grain: [deal_id, valid_from]
named_by: [staging.accounts, staging.owners]
columns:
  deal_id: HubSpot deal id
  deal: The deal's name
  account_id: HubSpot company id
  account: The account's name
  industry: The account's industry
  owner_id: HubSpot owner id
  owner: The owner's name, Unassigned where there is none
  deal_type: new business, existing business or unknown
  amount: Amount in US dollars, empty where the deal has none
  created_on: Day the deal was created
  booked_on: Day the deal closed
  cycle_days: Days from creation to closing, empty where it closed before it was created
  valid_from: When this version began (UTC)
  valid_to: When the next version began, empty for the current one (UTC)
expectations:
  - {kind: not_null, columns: [deal_id, deal, valid_from, deal_type]}
  - {kind: not_null, columns: [amount, booked_on], mostly: 0.9, severity: warn}
  - {kind: between, column: cycle_days, min: 0}
  - {kind: one_of, column: deal_type, values: [new business, existing business, unknown]}
---*/
WITH won AS (
    SELECT
        deal_id,
        deal,
        account_id,
        account,
        industry,
        owner_id,
        owner,
        amount,
        created_on,
        close_on AS booked_on,
        valid_from,
        valid_to
    FROM marts.deal_states
    WHERE is_won
)

SELECT
    won.deal_id,
    won.deal,
    won.account_id,
    won.account,
    won.industry,
    won.owner_id,
    won.owner,
    CASE LOWER(deals.deal_type)
        WHEN 'newbusiness' THEN 'new business'
        WHEN 'existingbusiness' THEN 'existing business'
        ELSE 'unknown'
    END AS deal_type,
    won.amount,
    won.created_on,
    won.booked_on,
    CASE WHEN won.created_on <= won.booked_on THEN DATEDIFF('day', won.created_on, won.booked_on) END AS cycle_days,
    won.valid_from,
    won.valid_to
FROM won
LEFT JOIN hubspot.deals AS deals ON won.deal_id = deals.deal_id
