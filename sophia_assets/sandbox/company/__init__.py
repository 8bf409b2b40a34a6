"""One simulated B2B software company, consistent across the systems it uses, with planted stories.

Belongs here: the simulation (accounts, deals, calls, subscriptions, satisfaction), the stories that
are written into it on purpose, what they leave behind in chat, delivery, knowledge base and product
use, and the publication of all of it as `CompanyData`. Does not belong here: HTTP, or
how anybody finds the stories again.

The simulation runs forward one day at a time and every random stream is named after what it decides
and the day it decides it. So a company as of an earlier day is exactly what was known on that day:
a later run only appends. Sales, calls and finance know nothing of the future; the systems around them
follow their journal, and may look some weeks ahead in it, as people fade out before they leave.
"""

from sophia_assets.sandbox.company.simulation import simulate_company
from sophia_assets.sandbox.company.truth import truth_as_json

__all__ = ["simulate_company", "truth_as_json"]
