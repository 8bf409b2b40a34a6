"""Tests of the assistant: how questions are read, answered and cited."""
