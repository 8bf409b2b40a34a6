"""Retention, rule by rule, and a year of it in fast forward (`year`)."""
