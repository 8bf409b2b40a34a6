"""The metric catalog, its compiler to SQL, and the facts it yields.

Belongs here: what a metric means, how it is computed, over which periods, and how its value is shown.
Does not belong here: choosing what is worth telling (`insight`).
"""
