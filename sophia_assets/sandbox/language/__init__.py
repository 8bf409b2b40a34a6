"""The toy language model behind the sandbox's stand-ins for language models.

Belongs here: reading a prompt's blocks, writing drafts, critiques and revisions from them and from nothing else, and
the lies that it can be told to tell. Does not belong here: any vendor's wire, and anything that a writer imports.
"""
