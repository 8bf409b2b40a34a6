/*---
description: >-
  CRM users who own accounts and deals, as they were called from one change to the next. The first name that is
  known stands for the time before it, too.
owner: team:revenue
grain: [owner_id, valid_from]
columns:
  owner_id: HubSpot owner id
  owner: First and last name at that time
  team: Team the owner belonged to at that time
  valid_from: When this version began, 1900 for the first one (UTC)
  valid_to: When the next version began or the owner was deleted, empty for the current one (UTC)
---*/
WITH known AS (
    SELECT owner_id, first_name, last_name, team, _known_from AS known_from, _deleted_at AS known_to
    FROM hubspot.owners
    UNION ALL
    SELECT owner_id, first_name, last_name, team, _known_from AS known_from, _known_to AS known_to
    FROM history.hubspot_owners
),

named AS (
    SELECT
        owner_id,
        COALESCE(
            NULLIF(TRIM(COALESCE(first_name, '') || ' ' || COALESCE(last_name, '')), ''), 'Owner ' || owner_id
        ) AS owner,
        COALESCE(team, 'No team') AS team,
        CASE
            WHEN ROW_NUMBER() OVER (PARTITION BY owner_id ORDER BY known_from) = 1 THEN CAST('1900-01-01' AS TIMESTAMP)
            ELSE known_from
        END AS known_from,
        known_to
    FROM known
),

marked AS (
    SELECT
        *,
        CASE
            WHEN LAG(known_to) OVER (PARTITION BY owner_id ORDER BY known_from) = known_from
                AND LAG(owner) OVER (PARTITION BY owner_id ORDER BY known_from) = owner
                AND LAG(team) OVER (PARTITION BY owner_id ORDER BY known_from) = team THEN 0
            ELSE 1
        END AS is_change
    FROM named
    WHERE known_to IS NULL OR known_from < known_to
),

numbered AS (
    SELECT
        *,
        SUM(is_change) OVER (
            PARTITION BY owner_id ORDER BY known_from ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS version
    FROM marked
)

SELECT
    owner_id,
    MIN(owner) AS owner,
    MIN(team) AS team,
    MIN(known_from) AS valid_from,
    CASE WHEN COUNT(*) = COUNT(known_to) THEN MAX(known_to) END AS valid_to
FROM numbered
GROUP BY owner_id, version
