/*---
description: The one account of each deal; the lowest company id where the CRM associates several.
owner: team:revenue
grain: [deal_id]
columns:
  deal_id: HubSpot deal id
  account_id: HubSpot company id
---*/
SELECT
    deal_id,
    MIN(company_id) AS account_id
FROM hubspot.deal_companies
WHERE _deleted_at IS NULL
GROUP BY deal_id
