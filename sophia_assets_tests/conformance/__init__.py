"""What every source is put through by being registered.

Belongs here: the tests, schedules and campaigns that walk the registry. Does not belong here: what is
true of one system only (`sources/test_<system>.py`).
"""
