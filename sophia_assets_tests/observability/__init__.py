"""Tests of what people who run the platform are told of its state."""
