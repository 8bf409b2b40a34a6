"""Asking language models: providers, one deadline, retries, breakers, tokens, money, the ledger of every call.

Belongs here: how a prompt reaches a model and what may come back, whatever it is about. Does not belong here: what is
asked (`insight`), who may see an answer (`access`), or Dagster. Nothing here trusts what a model says.
"""
