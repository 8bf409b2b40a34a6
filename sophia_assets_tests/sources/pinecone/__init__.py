"""Tests of searching a Pinecone index by text."""
