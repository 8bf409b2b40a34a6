"""Validates tables with Great Expectations, in a worker process of its own.

Belongs here: turning declared expectations into a suite, running it, and saying what was found without
showing personal data. Does not belong here: declaring what a table must meet (`sources/<system>/tables`)
or what a failure means for a run (`orchestration`).

Importing Great Expectations takes seconds and a few hundred megabytes, so it happens once per run, in a
process that is started early and imports while the systems are being read.
"""
