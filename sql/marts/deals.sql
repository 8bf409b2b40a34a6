/*---
description: Every deal as it stands now, one row each, ready to be sorted and filtered.
owner: team:revenue
grain: [deal_id]
columns:
  deal_id: HubSpot deal id
  deal: The deal's name
  account_id: HubSpot company id
  account: The account's name
  industry: The account's industry
  owner: The owner's name
  stage: Stage name
  is_open: Whether the deal is open
  is_won: Whether the deal is won
  amount: Amount in US dollars
  probability: Chance of winning that the stage carries, 0 to 1
  close_on: Expected or actual close day
  created_on: Day the deal was created
  stage_since: Day the deal entered its stage (business time zone)
  close_pushes: How often the close date has moved later while the deal was open
expectations:
  - {kind: not_null, columns: [deal_id, deal, stage, owner, is_open, is_won]}
  - {kind: not_null, column: amount, mostly: 0.5, severity: warn}
  - {kind: between, column: probability, min: 0, max: 1}
  - {kind: between, column: close_pushes, min: 0}
---*/
SELECT
    deal_id,
    deal,
    account_id,
    account,
    industry,
    owner,
    stage,
    is_open,
    is_won,
    amount,
    probability,
    close_on,
    created_on,
    stage_since,
    close_pushes
FROM marts.deal_states
WHERE valid_to IS NULL
