"""Encryption at rest: the vault through which files and texts go before they reach the disk.

Belongs here: keys, sealing and opening, a home's state, changing it. Does not belong here: what is written where.

Covered, in each home: the warehouse's file with its log and what spills to disk, reads that are under way, facts,
briefings, what checks have found, answers of language models and problems of deliveries in the control store, free text
in the audit trail, values in a shared Redis, and the frames that the validation worker is handed. From Dagster's own
storage, which is plain, content is left out.

Not covered: names of tables, columns, metrics, users and roles; counts of rows, moments of loads, run ids; the
company's name; who did what and why (`actions`, flags); messages of systems that refuse a request; a question that is
asked in Dagster's own question job (it is in the run's configuration); what is in memory, and in the memory that the
operating system swaps out. Files that were plain before stay on the disk until their blocks are used again.
"""
