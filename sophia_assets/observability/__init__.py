"""What people who run the platform are told of its state: how fresh the data is, and what is broken now.

Belongs here: reading our own stores (the ledger, the checks' record, failed attempts, circuits) and judging them by
declared policies. Does not belong here: Dagster, whose event log grows without end and is never searched here, or
checking rows (`quality`).
"""
