"""Tests of language models: their wire, the calling loop, tokens, money, kept answers."""
