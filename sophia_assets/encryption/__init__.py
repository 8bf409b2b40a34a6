"""Encryption at rest: the vault through which files and texts go before they reach the disk.

Belongs here: keys, sealing and opening, rotation. Does not belong here: what is written where.
"""
