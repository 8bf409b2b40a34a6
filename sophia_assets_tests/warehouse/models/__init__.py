"""Tests of the SQL models: each mart recomputed in pandas from raw tables, and what awkward rows do to it."""
