"""Searching what people said and wrote: quotes of calls and chat, passages of documents.

Belongs here: full text, Pinecone, and what of a text may be shown. Does not belong here: telling it (`answers`).
"""
