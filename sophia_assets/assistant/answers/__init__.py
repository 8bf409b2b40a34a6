"""Answering: from a question as it was read to sentences, rows, citations and caveats.

Belongs here: one module per kind of answer, and what they share: facts under a policy, the newest briefing, phrasing.
Does not belong here: reading the question (`understanding`), finding texts (`searching`).
"""
