-- Dagster's storage beside the control store: a database of its own, so that either can be restored alone.
CREATE DATABASE sophia_dagster;
