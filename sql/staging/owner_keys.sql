/*---
description: >-
  Who of the owners of accounts and deals a user of another system is, by their e-mail address; an address
  that two owners or two users share is left out.
owner: team:revenue
grain: [system, key]
optional: [gong.users, slack.users, linear.users]
columns:
  system: gong, slack or linear
  key: The user's id in that system
  owner_id: HubSpot owner id
expectations:
  - {kind: not_null, columns: [system, key, owner_id]}
  - {kind: one_of, column: system, values: [gong, slack, linear]}
---*/
WITH owners AS (
    SELECT
        owner_id,
        LOWER(TRIM(email)) AS address
    FROM hubspot.owners
    WHERE _deleted_at IS NULL
    QUALIFY COUNT(*) OVER (PARTITION BY LOWER(TRIM(email))) = 1
),

users AS (
    SELECT 'gong' AS system, user_id, email
    FROM gong.users
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT 'slack' AS system, user_id, email
    FROM slack.users
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT 'linear' AS system, user_id, email
    FROM linear.users
    WHERE _deleted_at IS NULL
)

SELECT
    users.system,
    users.user_id AS key,
    owners.owner_id
FROM users
INNER JOIN owners ON LOWER(TRIM(users.email)) = owners.address
QUALIFY COUNT(*) OVER (PARTITION BY users.system, owners.owner_id) = 1
