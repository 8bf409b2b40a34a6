"""Reading systems into the warehouse: windows, the HTTP transport with its retries and limits, the load itself.

Belongs here: what is the same for every source. Does not belong here: what one API looks like
(`sources/<system>`), how rows are merged and stored (`warehouse`).
"""
