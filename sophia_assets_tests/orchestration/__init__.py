"""The Dagster layer: what is defined, what a tick asks for, what a run leaves behind, what the UI serves."""
