"""Tests of the simulated company and the stand-ins."""
