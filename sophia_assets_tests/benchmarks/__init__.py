"""Measurements that anyone can repeat: fresh processes, interleaved repeats, median and quartiles.

Belongs here: commands that measure and print. Does not belong here: assertions about time; no test has any.
"""
