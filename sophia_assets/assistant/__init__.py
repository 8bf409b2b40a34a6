"""The assistant: a question in, an answer out, every figure of which is a fact.

Belongs here: understanding questions, answering them from facts, saying so. Does not belong here: measuring
(`metrics`), who may see what (`access`), how answers are shown (`web`, the command line, Dagster).
"""
