"""Delivery: takes finished briefings to where their readers are, Slack and e-mail, each exactly once.

Belongs here: a briefing's short form for a channel, sending it, and the record of what was sent. Does not belong here:
what a briefing says and whether that is true (`insight`), or who sees what (`access`): only what has been filed in the
archive is delivered, to the addresses of the role that it was written for.
"""
