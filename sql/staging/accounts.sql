/*---
description: Companies as the CRM knows them, names and industries tidied; archived ones left out.
owner: team:revenue
grain: [account_id]
columns:
  account_id: HubSpot company id, the account's id everywhere
  account: The account's name as it is shown
  industry: Industry in words, Unknown where the CRM has none
  country: Country of the headquarters
  employees: Number of employees
  annual_revenue: Annual revenue in US dollars
  owner_id: HubSpot owner who looks after the account
  created_on: Day the account was created (business time zone)
---*/
SELECT
    company_id AS account_id,
    COALESCE(NULLIF(TRIM(name), ''), 'Account ' || company_id) AS account,
    COALESCE(
        NULLIF(UPPER(LEFT(TRIM(industry), 1)) || LOWER(SUBSTR(REPLACE(TRIM(industry), '_', ' '), 2)), ''), 'Unknown'
    ) AS industry,
    country,
    employees,
    annual_revenue,
    owner_id,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, created_at) AS DATE) AS created_on
FROM hubspot.companies
WHERE _deleted_at IS NULL
