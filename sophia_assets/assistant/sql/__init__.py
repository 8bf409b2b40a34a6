"""Free SQL of analysts: what a statement may hold, and the command.

Belongs here: checking and narrowing statements. Does not belong here: running them (`desk`).
"""
