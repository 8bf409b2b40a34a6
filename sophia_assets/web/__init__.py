"""The reader: pages for people who read and ask, and the API behind the question box.

Belongs here: HTTP, pages, sessions and limits of the web process. Does not belong here: answering (`assistant`), who
may see what (`access`), how briefings are made (`insight`).
"""
