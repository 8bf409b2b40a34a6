"""Stand-ins for the business systems: real HTTP on loopback, one simulated company or a folder of exports.

Belongs here: the simulated company and its planted stories, the reader of export folders, and the
servers that speak the vendors' APIs. Does not belong here: anything that a connector imports; the
only link between the two is a base URL.
"""
