"""Tests of the connectors: what every source must do, and what is particular to each."""
