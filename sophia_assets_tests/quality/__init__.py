"""Tests of what becomes of a check that does not hold."""
