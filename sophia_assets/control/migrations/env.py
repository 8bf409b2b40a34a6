"""Runs the revisions on the connection that the store gives, inside the store's own transaction."""

from alembic import context

from sophia_assets.control.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite too takes back a table that was made in a transaction.
    transactional_ddl=True,
)
context.run_migrations()
