"""A drill: one system fails on purpose in a home of its own, and what operators would see is looked at step by step.

Belongs here: the home and the processes of a drill, the questions it asks Dagster, its steps and its report. Does not
belong here: what is drilled (`control` and `orchestration`), or the stand-ins and their faults (`sandbox`).
"""
