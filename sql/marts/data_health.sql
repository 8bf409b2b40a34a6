/*---
description: >-
  How the data of each raw table stands, from what the loader wrote down: when it was last loaded, up to when, its
  newest event, and what did not fit. A table that was never loaded has no row.
owner: team:data-platform
grain: [table_name]
columns:
  table_name: The raw table, as system.name
  system: The system it comes from
  loaded_at: When its last load was stored (UTC)
  loaded_through: Up to when it was read (UTC)
  newest_event: When its newest row was touched or happened in the system (UTC), empty where the table has no cursor
  event_age_days: Days from the newest event to the moment up to which it was read
  rows_held: Live rows
  rows_quarantined: Rows set aside because a value did not fit its declared type
  columns_missing: Declared columns that the system no longer sends
  fields_undeclared: Fields that the system sends beside the declared columns
  loads: How many loads have been stored
  last_rows_read: Rows that the last load read
  last_rows_deleted: Rows that the last load found to be gone
  last_seconds: How long the last load took
  unswept: Why the last load did not take over deletions, empty where it did
expectations:
  - {kind: not_null, columns: [table_name, loaded_at, loaded_through]}
  - {kind: between, columns: [rows_held, rows_quarantined, columns_missing], min: 0}
---*/
WITH last_loads AS (
    SELECT
        table_name,
        rows_read,
        deleted,
        seconds,
        unswept,
        COUNT(*) OVER (PARTITION BY table_name) AS loads
    FROM _sophia.loads
    QUALIFY ROW_NUMBER() OVER (PARTITION BY table_name ORDER BY committed_at DESC, window_end DESC, load_id) = 1
),

quarantined AS (
    SELECT
        table_name,
        COUNT(*) AS rows_set_aside
    FROM _sophia.quarantine
    GROUP BY table_name
),

missing AS (
    SELECT
        table_name,
        COUNT(DISTINCT column_name) AS columns_missing
    FROM _sophia.missing_columns
    GROUP BY table_name
),

undeclared AS (
    SELECT
        table_name,
        COUNT(DISTINCT field) AS fields_undeclared
    FROM _sophia.fields
    GROUP BY table_name
)

SELECT
    state.table_name,
    SPLIT_PART(state.table_name, '.', 1) AS system,
    state.loaded_at,
    state.loaded_through,
    state.newest AS newest_event,
    DATEDIFF('second', state.newest, state.loaded_through) / 86400.0 AS event_age_days,
    state.rows_total AS rows_held,
    COALESCE(quarantined.rows_set_aside, 0) AS rows_quarantined,
    COALESCE(missing.columns_missing, 0) AS columns_missing,
    COALESCE(undeclared.fields_undeclared, 0) AS fields_undeclared,
    COALESCE(last_loads.loads, 0) AS loads,
    last_loads.rows_read AS last_rows_read,
    last_loads.deleted AS last_rows_deleted,
    last_loads.seconds AS last_seconds,
    NULLIF(last_loads.unswept, '') AS unswept
FROM _sophia.state AS state
LEFT JOIN last_loads ON state.table_name = last_loads.table_name
LEFT JOIN quarantined ON state.table_name = quarantined.table_name
LEFT JOIN missing ON state.table_name = missing.table_name
LEFT JOIN undeclared ON state.table_name = undeclared.table_name
