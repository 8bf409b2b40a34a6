"""Sophia Assets: seven business systems in, one briefing that an executive can trust out.

The data flows one way: `sources`, `ingestion`, `warehouse`, `metrics`, `insight`. `orchestration` is
the Dagster layer over them, `cli` the shell's, `sandbox` the systems' stand-ins for a laptop without
any account. `settings` holds every setting and `errors` every failure that a user can meet.
"""

__version__ = "0.1.0"
