"""`sophia doctor`: looks at everything that the platform needs, and says what is wrong and what to do about it.

Belongs here: one module per area, whose checks yield findings; running them side by side; telling them. Does not
belong here: how a system is asked (`sources`), what Dagster knows (`orchestration.examination`), or any repair. Looking
changes nothing, takes no probe of a circuit, and asks no language model for a word.
"""
