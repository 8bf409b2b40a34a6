"""Stand-ins and connectors against the vendors' published contracts."""
