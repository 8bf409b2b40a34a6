/*---
description: >-
  Internet domains that belong to exactly one account: its own, and those of its contacts' e-mail addresses.
  Domains of public mail services belong to none.
owner: team:customer
grain: [domain]
optional: [hubspot.contacts]
columns:
  domain: The domain, lower case
  account_id: HubSpot company id
expectations:
  - {kind: not_null, columns: [domain, account_id]}
---*/
WITH domains AS (
    SELECT
        company_id AS account_id,
        REGEXP_REPLACE(LOWER(TRIM(domain)), '^(https?://)?(www[.])?', '') AS domain
    FROM hubspot.companies
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT
        companies.company_id AS account_id,
        SPLIT_PART(LOWER(TRIM(contacts.email)), '@', 2) AS domain
    FROM hubspot.contacts AS contacts
    INNER JOIN hubspot.companies AS companies
        ON contacts.company_id = companies.company_id AND companies._deleted_at IS NULL
    WHERE contacts._deleted_at IS NULL
)

SELECT
    domain,
    MIN(account_id) AS account_id
FROM domains
WHERE
    domain LIKE '%.%'
    AND domain NOT IN (
        'aol.com', 'fastmail.com', 'gmail.com', 'gmx.com', 'gmx.de', 'gmx.net', 'googlemail.com', 'hotmail.com',
        'icloud.com', 'live.com', 'mail.com', 'me.com', 'msn.com', 'outlook.com', 'proton.me', 'protonmail.com',
        'qq.com', 'web.de', 'yahoo.com', 'yandex.com', '163.com'
    )
GROUP BY domain
HAVING COUNT(DISTINCT account_id) = 1
