/*---
description: >-
  What conversations with and about customers are on: what Gong's trackers heard, the topics that Gong gave to
  passages of a call, and the topics recognised by their words in chat.
owner: team:customer
grain: [conversation_id, found_by, topic]
columns:
  conversation_id: Gong call id, or a chat conversation's id
  found_by: tracker, transcript or words
  topic: Name of the tracker or topic
  hits: How often a tracker fired, how many sentences were on the topic, or how many messages
  is_concern: Whether it tells of a customer who is worried or unhappy
expectations:
  - {kind: not_null, columns: [conversation_id, topic, hits]}
  - {kind: one_of, column: found_by, values: [tracker, transcript, words]}
  - {kind: between, column: hits, min: 1}
---*/
SELECT
    call_id AS conversation_id,
    'tracker' AS found_by,
    tracker AS topic,
    hits,
    tracker = 'Churn risk' AS is_concern
FROM gong.call_trackers
WHERE _deleted_at IS NULL AND hits > 0
UNION ALL
SELECT
    call_id AS conversation_id,
    'transcript' AS found_by,
    topic,
    COUNT(*) AS hits,
    topic = 'Support issues' AS is_concern
FROM gong.transcripts
WHERE _deleted_at IS NULL AND NULLIF(TRIM(topic), '') IS NOT NULL
GROUP BY call_id, topic
UNION ALL
SELECT
    messages.conversation_id,
    'words' AS found_by,
    words.topic,
    COUNT(DISTINCT messages.ts) AS hits,
    BOOLOR_AGG(words.is_concern) AS is_concern
FROM staging.chat_messages AS messages
INNER JOIN staging.topic_words AS words ON CONTAINS(messages.words, ' ' || words.word)
WHERE messages.is_human
GROUP BY messages.conversation_id, words.topic
