"""The web process over real HTTP: pages, API, logins, limits."""
