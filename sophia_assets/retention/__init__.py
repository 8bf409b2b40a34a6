"""How long old records are kept, and removing them.

Belongs here: the rules (`rules`), finding and removing what is too old in the control store, the warehouse and the
home's files, what time that goes by (`clock`), and applying it all in small steps (`applying`). Does not belong here:
Dagster's own storage (`orchestration.run_retention`), or when it happens (`orchestration.retention_job`).

What grows, measured on a laptop's home (SQLite, DuckDB) with one whole run a day, eight sensors and 300,000 rows. What
has a rule is kept for so many days by default (`SOPHIA_RETENTION_<RULE>_DAYS`); all else is bounded where it is
written, or by what it is about.

| what | a day | bounded by | days | what needs it |
|---|---|---|---|---|
| logs of runs, and what steps printed | 8.5 MB | `run_logs` | 14 | looking into a failed run |
| runs, results of checks, repeated materializations | 7 MB | `runs` | 30 | run history, trends |
| the newest materialization of each table and day | 0.1 MB | never: by it a day counts as read | | sensors, the UI |
| ticks that found nothing to do | 30 MB | `skipped_ticks` | 2 | why a sensor did nothing |
| other ticks | 20 rows | `ticks` | 30 | when something was launched |
| day figures, deliveries, calls of models | 0.3 MB | `measures`, `deliveries`, `llm.usage` | 400 | `sophia slo` |
| the audit trail | 0.5 kB an access | `audit`, which moves it to signed archives | 400 | `audit verify` |
| changes of flags | by hand | `flag_changes` | 800 | when, by whom and why |
| changes and outcomes of circuits, deeds, sessions, answers | | their own writers | | `circuit history`, promotion |
| briefings with evidence, and their seals | 0.9 MB | `briefings`, by when they were written | 800 | `briefing verify` |
| facts as a file | 0.4 MB | `facts`; they can be computed again | 120 | looking at them in Dagster |
| the ledger of loads | 53 rows | `ledger`; the newest ten of every table stay | 400 | checks that compare loads |
| replaced versions of rows | by change | `history` | 1200 | facts as of a past day, and a year before it |
| state of request limits, caches, drafts of the dead | 8 files an account | `files` | 30 | nothing |
| rows and deleted rows of the company | by business | never removed | | everything |
| quarantine, what checks found, staging | | 1,000 rows a table; a file a table; a day | | checks |

Ledger and versions are small beside the company's rows, and are written over when they go, as DuckDB does: its file
holds its size. SQLite's files do, too, and are written anew when half of them is empty.
"""
