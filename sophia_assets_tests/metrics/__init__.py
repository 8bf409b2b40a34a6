"""Tests of the metric catalog, its periods, its forms and what it computes."""
