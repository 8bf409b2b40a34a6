"""The MCP server: the platform as tools of an executive's own assistant, over the Model Context Protocol.

Belongs here: the tools, and how a client of the protocol proves who it is. Does not belong here: what the tools give
out (`desk`), who may see what (`access`).
"""
