/*---
description: >-
  The words by which a topic is recognised in chat; a word stands for all that begin with it. Competitors are those
  that Gong listens for. To have another topic recognised, add a line.
owner: team:customer
grain: [topic, word]
columns:
  topic: Name of the topic, the same as Gong's tracker where there is one
  word: Small letters without accents and punctuation
  is_concern: Whether it tells of a customer who is worried or unhappy
expectations:
  - {kind: not_null, columns: [topic, word, is_concern]}
---*/
SELECT
    topic,
    word,
    is_concern
FROM (
    VALUES
    ('Churn risk', 'at risk', TRUE),
    ('Churn risk', 'cancel', TRUE),
    ('Churn risk', 'churn', TRUE),
    ('Churn risk', 'did not renew', TRUE),
    ('Churn risk', 'is gone', TRUE),
    ('Churn risk', 'is leaving us', TRUE),
    ('Churn risk', 'losing patience', TRUE),
    ('Churn risk', 'not renewing', TRUE),
    ('Churn risk', 'unhappy', TRUE),
    ('Support issues', 'broken', TRUE),
    ('Support issues', 'bug', TRUE),
    ('Support issues', 'cannot', TRUE),
    ('Support issues', 'crash', TRUE),
    ('Support issues', 'error', TRUE),
    ('Support issues', 'fail', TRUE),
    ('Support issues', 'outage', TRUE),
    ('Support issues', 'slow', TRUE),
    ('Payment', 'accounts payable', TRUE),
    ('Payment', 'has not paid', TRUE),
    ('Payment', 'overdue', TRUE),
    ('Payment', 'reminders to', TRUE),
    ('Pricing', 'budget', FALSE),
    ('Pricing', 'discount', FALSE),
    ('Pricing', 'price', FALSE),
    ('Pricing', 'pricing', FALSE),
    ('Expansion', 'adds seats', FALSE),
    ('Expansion', 'grows again', FALSE),
    ('Expansion', 'more seats', FALSE),
    ('Renewal', 'renew', FALSE),
    ('Product wish', 'asks for', FALSE),
    ('Product wish', 'wish from', FALSE),
    ('Product wish', 'would love', FALSE),
    ('Praise', 'exactly what', FALSE),
    ('Praise', 'praise', FALSE),
    ('Praise', 'they like us', FALSE),
    ('Praise', 'well done', FALSE)
) AS declared (topic, word, is_concern)
UNION ALL
SELECT DISTINCT
    name AS topic,
    TRIM(REGEXP_REPLACE(
        TRANSLATE(
            LOWER(SUBSTR(name, 13)),
            'àáâãäåāăąçćčďđèéêëēėęěğìíîïīįıłñńňòóôõöøōőřśšșşťțţùúûüūůűųýÿźżž',
            'aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorsssstttuuuuuuuuyyzzz'
        ),
        '[^a-z0-9]+', ' '
    )) AS word,
    FALSE AS is_concern
FROM gong.trackers
WHERE _deleted_at IS NULL AND name LIKE 'Competitor: _%'
