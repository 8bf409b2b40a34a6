"""Tests of what a drill rests on; the drill itself is in `end_to_end`."""
