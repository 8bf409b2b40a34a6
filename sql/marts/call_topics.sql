/*---
description: What was talked about in calls, one row per call and tracker that fired.
owner: team:customer
grain: [call_id, tracker]
columns:
  call_id: Gong call id
  account_id: HubSpot company id
  account: The account's name
  tracker: Name of the tracker
  competitor: Name of the competitor, where the tracker is about one
  started_on: Day the call started (business time zone)
  hits: How often the tracker fired in the call
expectations:
  - {kind: not_null, columns: [call_id, tracker, started_on]}
  - {kind: between, column: hits, min: 1}
---*/
SELECT
    trackers.call_id,
    calls.account_id,
    calls.account,
    trackers.tracker,
    CASE WHEN trackers.tracker LIKE 'Competitor: %' THEN SUBSTR(trackers.tracker, 13) END AS competitor,
    calls.started_on,
    trackers.hits
FROM gong.call_trackers AS trackers
INNER JOIN marts.calls ON trackers.call_id = calls.call_id
WHERE trackers._deleted_at IS NULL AND trackers.hits > 0
