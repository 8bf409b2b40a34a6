"""Tests of what `deploy/` holds: that each file says what is true, and that the whole of it runs."""
