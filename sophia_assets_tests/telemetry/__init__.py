"""Tests of what the platform measures of itself, and how that reaches whoever watches it."""
