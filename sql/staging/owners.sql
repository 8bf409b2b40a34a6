/*---
description: CRM users who own accounts and deals, with their readable names.
owner: team:revenue
grain: [owner_id]
columns:
  owner_id: HubSpot owner id
  owner: First and last name
  team: Team the owner belongs to
---*/
SELECT
    owner_id,
    COALESCE(NULLIF(TRIM(COALESCE(first_name, '') || ' ' || COALESCE(last_name, '')), ''), 'Owner ' || owner_id) AS owner,
    COALESCE(team, 'No team') AS team
FROM hubspot.owners
WHERE _deleted_at IS NULL
