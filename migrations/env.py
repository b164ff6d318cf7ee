"""What alembic runs: our own connection where `migrate` gave one, else the address in JIFENDAI_DATABASE_URL."""

import os

from alembic import context
from sqlalchemy import Connection, create_engine

from app.adapters.database.store import database_url
from app.adapters.database.tables import METADATA


def _run(connection: Connection) -> None:
    # SQLite can take back a CREATE TABLE too, so a migration is there whole or not at all on both databases.
    context.configure(connection=connection, target_metadata=METADATA, transactional_ddl=True, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
elif context.is_offline_mode():
    raise SystemExit("The migrations look at the database they change: give its address, without --sql.")
else:
    with create_engine(database_url(os.environ["JIFENDAI_DATABASE_URL"])).begin() as opened:
        _run(opened)
