"""Tests of windows, the transport, the limiter and whole loads."""
