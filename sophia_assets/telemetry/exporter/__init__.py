"""`sophia exporter`: one long-lived process that serves every series of the platform to Prometheus.

Belongs here: reading what runs have written down and what the stores say, again and again in the background (`parts`),
and serving the newest picture of it (`serving`). Does not belong here: what is measured (`telemetry.series`,
`telemetry.recording`), Dagster's storage (`orchestration.run_telemetry`), the web process' own figures (`web.metrics`).

The warehouse is never opened: a reader would keep a writer waiting, and on Snowflake each look would cost money.
"""
