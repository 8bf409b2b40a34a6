"""One simulated B2B software company, consistent across the systems it uses, with planted stories.

Belongs here: the simulation (accounts, deals, calls, subscriptions, satisfaction), the stories that
are written into it on purpose, and its publication as `CompanyData`. Does not belong here: HTTP, or
how anybody finds the stories again.

The simulation runs forward one day at a time and every random stream is named after what it decides
and the day it decides it. So a company as of an earlier day is exactly what was known on that day:
a later run only appends.
"""

from sophia_assets.sandbox.company.simulation import simulate_company
from sophia_assets.sandbox.company.truth import truth_as_json

__all__ = ["simulate_company", "truth_as_json"]
