/*---
description: Which accounts an issue is about, by its labels of the group Customer.
owner: team:product
grain: [issue_id, account_id]
optional: [staging.account_keys]
columns:
  issue_id: Linear issue id
  account_id: HubSpot company id
expectations:
  - {kind: not_null, columns: [issue_id, account_id]}
---*/
SELECT DISTINCT
    issue_labels.issue_id,
    keys.account_id
FROM linear.issue_labels AS issue_labels
INNER JOIN staging.account_keys AS keys
    ON keys.system = 'linear' AND keys.kind = 'label' AND issue_labels.label_id = keys.key
WHERE issue_labels._deleted_at IS NULL
