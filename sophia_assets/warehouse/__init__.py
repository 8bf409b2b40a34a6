"""Where the data lives: raw tables, models, the ledger of loads, behind one small interface.

Belongs here: the `Warehouse` interface, DuckDB behind it, coercion to declared types, merging by key,
the cross-process lock. Does not belong here: talking to business systems (`sources`), windows and
retries (`ingestion`), the meaning of the data (`sql/`, `metrics`).
"""
