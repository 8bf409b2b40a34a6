"""The Dagster layer: assets, checks, jobs, schedules and resources, thin over the layers below.

Belongs here: what Dagster has to know. Does not belong here: any logic that could be tested without
Dagster; it lies in the layer that the asset shows.
"""
