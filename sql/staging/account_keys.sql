/*---
description: >-
  Accounts across the systems: which CRM company each id, name, label, channel and call of the seven systems
  stands for. What could not be matched is in marts.unmatched_accounts.
owner: team:customer
grain: [system, kind, key]
columns:
  system: The system that names the account
  kind: What the key is; id, name, label, channel or call
  key: The company id, the name, or the id of the label, channel or call
  account_id: HubSpot company id
  matched_by: id, name or e-mail domain
expectations:
  - {kind: not_null, columns: [system, kind, key, account_id, matched_by]}
  - {kind: one_of, column: system, values: [gong, hubspot, linear, pinecone, redis, slack, snowflake]}
  - {kind: one_of, column: kind, values: [id, name, label, channel, call]}
---*/
SELECT
    system,
    kind,
    key,
    account_id,
    matched_by
FROM staging.account_matches
WHERE account_id IS NOT NULL
