/*---
description: >-
  What each mention of an account, and each recorded call that names none, was matched to, or why it was not.
  An id counts before a name, a whole name before one without its legal form, a name before the guests' e-mail
  domains; what fits two accounts is matched to neither.
owner: team:customer
grain: [system, kind, key]
optional: [staging.account_domains, gong.calls, gong.call_parties]
columns:
  system: The system that names the account
  kind: What the key is; id, name, label, channel, or call for a call that Gong linked to no company
  key: The company id, the name, or the id of the label, channel or call
  name: The account's name there, empty where there is none
  rows_named: How many rows of the system carry the key
  account_id: HubSpot company id, empty where it could not be matched
  matched_by: id, name or e-mail domain, empty where it could not be matched
  candidates: How many accounts it fits
  is_archived: Whether the id is one that the CRM has archived
expectations:
  - {kind: not_null, columns: [system, kind, key, rows_named, candidates, is_archived]}
  - {kind: one_of, column: matched_by, values: [id, name, e-mail domain]}
---*/
WITH by_full_key AS (
    SELECT full_key, COUNT(*) AS candidates, MIN(key) AS account_id
    FROM staging.account_mentions
    WHERE system = 'hubspot' AND full_key IS NOT NULL
    GROUP BY full_key
),

by_core_key AS (
    SELECT core_key, COUNT(*) AS candidates, MIN(key) AS account_id
    FROM staging.account_mentions
    WHERE system = 'hubspot' AND core_key IS NOT NULL
    GROUP BY core_key
),

by_guests AS (
    SELECT
        calls.call_id,
        COUNT(DISTINCT domains.account_id) AS candidates,
        MIN(domains.account_id) AS account_id
    FROM gong.calls AS calls
    LEFT JOIN gong.call_parties AS guests
        ON calls.call_id = guests.call_id AND guests.affiliation <> 'Internal' AND guests._deleted_at IS NULL
    LEFT JOIN staging.account_domains AS domains ON SPLIT_PART(LOWER(TRIM(guests.email)), '@', 2) = domains.domain
    WHERE
        calls._deleted_at IS NULL
        AND COALESCE(NULLIF(TRIM(calls.company_id), ''), NULLIF(TRIM(calls.company_name), '')) IS NULL
    GROUP BY calls.call_id
),

mentions AS (
    SELECT
        mentions.system,
        mentions.kind,
        mentions.key,
        mentions.name,
        mentions.rows_named,
        companies.company_id,
        companies._deleted_at IS NOT NULL AS is_archived,
        CASE
            WHEN by_full_key.full_key IS NOT NULL THEN by_full_key.account_id
            ELSE by_core_key.account_id
        END AS named_account_id,
        COALESCE(by_full_key.candidates, by_core_key.candidates, 0) AS candidates
    FROM staging.account_mentions AS mentions
    LEFT JOIN hubspot.companies AS companies ON mentions.kind = 'id' AND mentions.key = companies.company_id
    LEFT JOIN by_full_key ON mentions.full_key = by_full_key.full_key
    LEFT JOIN by_core_key ON mentions.core_key = by_core_key.core_key
)

SELECT
    system,
    kind,
    key,
    name,
    rows_named,
    CASE
        WHEN company_id IS NOT NULL AND NOT is_archived THEN company_id
        WHEN candidates = 1 THEN named_account_id
    END AS account_id,
    CASE
        WHEN company_id IS NOT NULL AND NOT is_archived THEN 'id'
        WHEN candidates = 1 THEN 'name'
    END AS matched_by,
    CASE WHEN company_id IS NOT NULL AND NOT is_archived THEN 1 ELSE candidates END AS candidates,
    is_archived
FROM mentions
UNION ALL
SELECT
    'gong' AS system,
    'call' AS kind,
    call_id AS key,
    CAST(NULL AS VARCHAR) AS name,
    1 AS rows_named,
    CASE WHEN candidates = 1 THEN account_id END AS account_id,
    CASE WHEN candidates = 1 THEN 'e-mail domain' END AS matched_by,
    candidates,
    FALSE AS is_archived
FROM by_guests
