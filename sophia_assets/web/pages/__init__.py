"""The pages of the reader: briefings, evidence, questions, the state of the data, what figures mean, usage.

Belongs here: a router for each page, and what each shows. Does not belong here: who asks (`web.authentication`), what
they may see (`access.policies`), how a page is framed (`web.page`).
"""
