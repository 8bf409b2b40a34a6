/*---
description: >-
  What is talked about with and about customers, in calls and in chat: one row per conversation and topic, by how the
  topic was found.
owner: team:customer
grain: [conversation_id, found_by, topic]
columns:
  conversation_id: The conversation, as in marts.conversations
  kind: call or chat
  account_id: HubSpot company id, empty where it is unknown or several are named
  account: The account's name
  started_on: Day the conversation began (business time zone)
  found_by: tracker (Gong heard its words), transcript (Gong gave it to passages) or words (found in chat)
  topic: Name of the topic or tracker
  competitor: Name of the competitor, where the topic is one
  is_concern: Whether it tells of a customer who is worried or unhappy
  hits: How often a tracker fired, how many sentences were on the topic, or how many messages
expectations:
  - {kind: not_null, columns: [conversation_id, topic, found_by, started_on]}
  - {kind: between, column: hits, min: 1}
---*/
SELECT
    conversations.conversation_id,
    conversations.kind,
    conversations.account_id,
    conversations.account,
    conversations.started_on,
    topics.found_by,
    topics.topic,
    CASE WHEN topics.topic LIKE 'Competitor: %' THEN SUBSTR(topics.topic, 13) END AS competitor,
    topics.is_concern,
    topics.hits
FROM staging.conversation_topics AS topics
INNER JOIN marts.conversations ON topics.conversation_id = conversations.conversation_id
