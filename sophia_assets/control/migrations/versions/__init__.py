"""One revision per file, named by its number."""
