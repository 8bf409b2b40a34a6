/*---
description: >-
  What each owner of accounts and deals did on each day: recorded calls, logged calls that were answered, meetings
  held, deals moved to another stage, call notes written, chat messages. A day without activity has no row.
owner: team:revenue
grain: [owner_id, day, kind]
named_by: [staging.owners]
optional: [gong.calls, staging.owner_keys, staging.chat_messages, pinecone.documents]
columns:
  owner_id: HubSpot owner id
  owner: The owner's name
  team: Team the owner belongs to
  day: The day (business time zone)
  kind: recorded call, logged call, meeting, deal moved, note or message
  activities: How many
  minutes: How long they took together, empty where it is not known
expectations:
  - {kind: not_null, columns: [owner_id, owner, day, kind]}
  - {kind: one_of, column: kind, values: [recorded call, logged call, meeting, deal moved, note, message]}
  - {kind: between, column: activities, min: 1}
  - {kind: between, column: minutes, min: 0, severity: warn}
---*/
WITH done AS (
    SELECT
        keys.owner_id,
        calls.started_at AS done_at,
        'recorded call' AS kind,
        calls.call_id AS id,
        calls.duration_s / 60.0 AS minutes
    FROM gong.calls AS calls
    INNER JOIN staging.owner_keys AS keys ON keys.system = 'gong' AND calls.primary_user_id = keys.key
    WHERE calls._deleted_at IS NULL
    UNION ALL
    SELECT
        owner_id,
        called_at AS done_at,
        'logged call' AS kind,
        call_id AS id,
        duration_ms / 60000.0 AS minutes
    FROM hubspot.crm_calls
    WHERE _deleted_at IS NULL AND status = 'COMPLETED'
    UNION ALL
    SELECT
        owner_id,
        starts_at AS done_at,
        'meeting' AS kind,
        meeting_id AS id,
        DATEDIFF('second', starts_at, ends_at) / 60.0 AS minutes
    FROM hubspot.meetings
    WHERE _deleted_at IS NULL AND outcome = 'COMPLETED'
    UNION ALL
    SELECT
        owner_id,
        valid_from AS done_at,
        'deal moved' AS kind,
        deal_id || '/' || CAST(valid_from AS VARCHAR) AS id,
        CAST(NULL AS DOUBLE) AS minutes
    FROM (
        SELECT
            deal_id,
            owner_id,
            stage_id,
            valid_from,
            LAG(stage_id) OVER (PARTITION BY deal_id ORDER BY valid_from) AS stage_before
        FROM marts.deal_states
    ) AS versions
    WHERE stage_before <> stage_id
    UNION ALL
    SELECT
        owners.owner_id,
        notes.created_at AS done_at,
        'note' AS kind,
        notes.id,
        CAST(NULL AS DOUBLE) AS minutes
    FROM (
        SELECT
            author,
            COALESCE(url, document_id) AS id,
            MIN(created_at) AS created_at
        FROM pinecone.documents
        WHERE _deleted_at IS NULL AND kind = 'call-note'
        GROUP BY author, COALESCE(url, document_id)
    ) AS notes
    INNER JOIN (
        -- Notes carry their author's name only; one that two owners share is nobody's.
        SELECT
            owner,
            owner_id
        FROM staging.owners
        QUALIFY COUNT(*) OVER (PARTITION BY owner) = 1
    ) AS owners ON notes.author = owners.owner
    UNION ALL
    SELECT
        keys.owner_id,
        messages.posted_at AS done_at,
        'message' AS kind,
        messages.channel_id || '/' || messages.ts AS id,
        CAST(NULL AS DOUBLE) AS minutes
    FROM staging.chat_messages AS messages
    INNER JOIN staging.owner_keys AS keys ON keys.system = 'slack' AND messages.user_id = keys.key
    WHERE messages.is_human
),

days AS (
    SELECT
        owner_id,
        CAST(CONVERT_TIMEZONE('UTC', :timezone, done_at) AS DATE) AS day,
        kind,
        COUNT(DISTINCT id) AS activities,
        SUM(minutes) AS minutes
    FROM done
    WHERE owner_id IS NOT NULL AND done_at IS NOT NULL
    GROUP BY owner_id, CAST(CONVERT_TIMEZONE('UTC', :timezone, done_at) AS DATE), kind
)

SELECT
    days.owner_id,
    COALESCE(owners.owner, 'Owner ' || days.owner_id) AS owner,
    COALESCE(owners.team, 'No team') AS team,
    days.day,
    days.kind,
    days.activities,
    days.minutes
FROM days
LEFT JOIN staging.owners ON days.owner_id = owners.owner_id
