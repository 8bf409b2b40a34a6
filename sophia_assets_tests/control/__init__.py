"""Behaviour of breakers, the control store and flags, on real SQLite and real Postgres."""
