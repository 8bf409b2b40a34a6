"""What operators steer with and what guards the platform while it runs: breakers, flags, audit of actions, cache.

Belongs here: the control store and what lives in it. Does not belong here: business data (the warehouse), speaking to
a system (`sources`), or Dagster (`orchestration` makes sensors, jobs and checks of this).
"""
