"""Who may see what: roles and the areas of the business that each may see.

Belongs here: deciding. Does not belong here: what is decided about (`metrics`, `insight`), or logging in. Whatever is
not allowed is denied.
"""
