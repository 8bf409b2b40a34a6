"""How the control store's tables came to be, one revision per file in `versions`; alembic runs them."""
