"""The whole line, from the stand-ins' HTTP answers to what a reader sees, recomputed by other means."""
