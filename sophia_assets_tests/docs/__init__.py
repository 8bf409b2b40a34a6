"""What the pages of the project say is true: links lead somewhere, names are there, and every command runs.

Belongs here: reading the Markdown pages, and holding them against the code. Does not belong here: what the commands do
(the tests of their own layers).
"""
