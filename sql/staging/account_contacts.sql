/*---
description: >-
  When people of the company spoke with each account: recorded calls, meetings held and telephone calls that were
  answered, as the CRM has logged them.
owner: team:customer
grain: [account_id, day, kind]
optional: [gong.calls, staging.account_keys, hubspot.meetings, hubspot.meeting_associations, hubspot.crm_calls,
  hubspot.crm_call_associations]
columns:
  account_id: HubSpot company id
  day: The day (business time zone)
  kind: recorded call, meeting or logged call
  contacts: How many
expectations:
  - {kind: not_null, columns: [account_id, day, kind]}
  - {kind: between, column: contacts, min: 1}
  - {kind: one_of, column: kind, values: [recorded call, meeting, logged call]}
---*/
WITH contacts AS (
    SELECT
        keys.account_id,
        'recorded call' AS kind,
        calls.call_id AS id,
        calls.started_at AS happened_at
    FROM gong.calls AS calls
    INNER JOIN staging.account_keys AS keys
        ON
            keys.system = 'gong'
            AND (
                CASE
                    WHEN NULLIF(TRIM(calls.company_id), '') IS NOT NULL THEN 'id'
                    WHEN NULLIF(TRIM(calls.company_name), '') IS NOT NULL THEN 'name'
                    ELSE 'call'
                END
            ) = keys.kind
            AND keys.key
            = COALESCE(NULLIF(TRIM(calls.company_id), ''), NULLIF(TRIM(calls.company_name), ''), calls.call_id)
    WHERE calls._deleted_at IS NULL
    UNION ALL
    SELECT
        links.to_id AS account_id,
        'meeting' AS kind,
        meetings.meeting_id AS id,
        meetings.starts_at AS happened_at
    FROM hubspot.meetings AS meetings
    INNER JOIN hubspot.meeting_associations AS links
        ON meetings.meeting_id = links.meeting_id AND links.to_type = 'companies' AND links._deleted_at IS NULL
    WHERE meetings._deleted_at IS NULL AND meetings.outcome = 'COMPLETED'
    UNION ALL
    SELECT
        links.to_id AS account_id,
        'logged call' AS kind,
        calls.call_id AS id,
        calls.called_at AS happened_at
    FROM hubspot.crm_calls AS calls
    INNER JOIN hubspot.crm_call_associations AS links
        ON calls.call_id = links.call_id AND links.to_type = 'companies' AND links._deleted_at IS NULL
    WHERE calls._deleted_at IS NULL AND calls.status = 'COMPLETED'
)

SELECT
    account_id,
    CAST(CONVERT_TIMEZONE('UTC', :timezone, happened_at) AS DATE) AS day,
    kind,
    COUNT(DISTINCT id) AS contacts
FROM contacts
WHERE happened_at IS NOT NULL
GROUP BY account_id, CAST(CONVERT_TIMEZONE('UTC', :timezone, happened_at) AS DATE), kind
