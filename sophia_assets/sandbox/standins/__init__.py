"""The stand-ins: ASGI apps that answer as the vendors' APIs do, from one `CompanyData`.

Belongs here: one package per system with its routes, limits, error bodies and own faults, and what
they share (limits, faults, answers). Does not belong here: making up a company, starting processes,
or anything that a connector imports.
"""
