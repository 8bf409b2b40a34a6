"""What the platform measures of itself while it works, and how that reaches whoever watches it.

Belongs here: the series that are exported, each declared once (`series`), how short-lived runs write them down
(`recording`), the exporter that serves all of them to Prometheus, and logs. Does not belong here: figures about the
business (`metrics`), judging how fresh the data is and what is broken (`observability`), or Dagster (`orchestration`
reads its storage for the exporter).
"""
