"""Understanding a question: from its words to metrics, times, names and what is asked of them.

Belongs here: words, calendars, names, intents, and asking back where something is not understood; all of it without a
language model and without reading figures. Does not belong here: answering (`answers`).
"""
