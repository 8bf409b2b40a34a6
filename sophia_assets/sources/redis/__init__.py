"""Redis: what a product counts about its use, in hashes, counters and a stream.

Belongs here: reading those keys. Does not belong here: Redis as anybody's cache or queue, or anything shared
between systems.

How the keys are named, behind a prefix (`usage:` unless REDIS_PREFIX says otherwise):

- `usage:account:<account_id>`, a hash: account_name, plan, seats, active_seats, last_seen_at (ISO 8601, or
  milliseconds since 1970), features (JSON: feature -> uses over 30 days)
- `usage:daily:<YYYY-MM-DD>`, a hash: `<account_id>:<counter>` -> count
- `usage:total:<name>`, a string: a count
- `usage:events`, a stream whose ids are times (as Redis makes them): account_id, user_id, event, feature,
  properties (JSON); every other field is a property, too
"""

from sophia_assets.sources.declarations import SystemSettings
from sophia_assets.sources.redis.tables import TABLES

SETTINGS = SystemSettings(
    display_name="Redis",
    address="REDIS_URL",
    names=("REDIS_URL", "REDIS_PREFIX"),
    required=("REDIS_URL",),
    cache_seconds=120,
)

__all__ = ["SETTINGS", "TABLES"]
