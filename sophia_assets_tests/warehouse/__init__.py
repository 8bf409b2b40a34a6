"""Tests of merging, types, the ledger, the file and its lock."""
