"""The command line as people use it, above all where things go wrong."""
