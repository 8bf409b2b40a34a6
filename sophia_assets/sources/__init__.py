"""The seven business systems, one folder each.

Belongs here: for each system `client.py`, which speaks its API, and `tables.py`, which declares what
it yields. Does not belong here: windows, retries and limits (`ingestion`), storage (`warehouse`),
Dagster (`orchestration`), or any knowledge of the sandbox.
"""
