"""Row-level security: PostgreSQL shows a statement the rows of the lenders that its transaction was opened for, and of
nobody else; it stands behind the adapters' own filters, for the day on which one of them forgets its own.

Neighbours may rely on this: `jifendai migrate` puts the policy on every table that has a column `lender`, also on one
that a later migration brings; a transaction that names no lender sees no row of any and can write none. A shared pool's
tables have a `holder` instead: there the policy shows a lender his own rows and the pool's, and whoever has to know a
whole pool (the desk, behind its lock; a statement that must add up) names that pool. Other databases have none of this,
and there every function here does nothing.

It is a second lock for our own mistakes. Whoever can run statements of his own as the service's account can name any
lender: what he cannot do, under an account that is not the owner, is to change or delete what has been recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

from app.adapters.database.tables import METADATA
from app.domain.access import lenders_within

# What a transaction is opened for: for commands of the whole installation, and for what belongs to no lender.
EVERY_LENDER: Final = ("*",)
NO_LENDER: Final = ()

_LENDERS_APART, _HOLDERS_APART = "lenders_apart", "holders_apart"
_ALLOWED: Final = "current_setting('jifendai.lenders', true)"
# A setting that was never made is NULL, and one that a transaction has left behind is empty: both allow nothing.
_VISIBLE: Final = f"lender = ANY (string_to_array({_ALLOWED}, ',')) OR {_ALLOWED} = '*'"
_POOLS: Final = "string_to_array(current_setting('jifendai.pools', true), ',')"
_HELD: Final = (
    f"{_VISIBLE.replace('lender =', 'holder =')} OR pool_id = ANY ({_POOLS}) OR (holder IS NULL AND {_ALLOWED} <> '')"
)
_OPEN_POOLS = text("SELECT set_config('jifendai.pools', :pools, true)")
_ALLOW = text("SELECT set_config('jifendai.lenders', :lenders, true)")

# What has been written here is never changed or deleted, so the service's account may not.
APPENDED_ONLY: Final = frozenset(
    {
        "log_entry", "decision", "act", "checkpoint", "terms", "catalogue_activation", "key_change", "score_snapshot",
        "pool_entry", "pool_statement",
    }
)  # fmt: skip


def allow(connection: Connection, lenders: Sequence[str]) -> None:
    """This function will open the transaction for the rows of these lenders, until it ends. A scope's branches open it
    for their lenders: whose a row is within a lender is the adapters' own matter.
    """
    if lenders and _is_postgresql(connection):
        connection.execute(_ALLOW, {"lenders": ",".join(lenders_within(lenders))})


def open_pools(connection: Connection, pools: Sequence[str]) -> None:
    """This function will open the transaction for everybody's rows of these pools, until it ends."""
    if pools and _is_postgresql(connection):
        connection.execute(_OPEN_POOLS, {"pools": ",".join(pools)})


def guard(connection: Connection) -> None:
    """This function will put the policy on every table that needs it and does not have it."""
    for table, policy in _without_policy(connection):
        for statement in (
            f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY',
            # The owner would otherwise be let past.
            f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY',
            f'DROP POLICY IF EXISTS {policy} ON "{table}"',
            f'CREATE POLICY {policy} ON "{table}" USING ({_VISIBLE if policy == _LENDERS_APART else _HELD})',
        ):
            connection.exec_driver_sql(statement)


def unguarded(connection: Connection) -> tuple[str, ...]:
    """This function will return the tables with a column `lender` or `holder` whose rows are not kept apart."""
    return tuple(table for table, _ in _without_policy(connection))


def _without_policy(connection: Connection) -> tuple[tuple[str, str], ...]:
    if not _is_postgresql(connection):
        return ()
    policies = {"lenders": _LENDERS_APART, "holders": _HOLDERS_APART}
    return tuple((row.table, row.policy) for row in connection.execute(_UNGUARDED, policies))


def grant(connection: Connection, account: str) -> None:
    """This function will give the service's account what it needs of the tables, and no more.

    Raises LookupError where there is no such account.
    """
    if not _is_postgresql(connection):
        return
    if connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": account}).first() is None:
        raise LookupError(account)
    schema, current = connection.execute(text("SELECT current_schema(), current_user")).one()
    if account == current:
        return
    name = connection.dialect.identifier_preparer.quote_identifier
    granted = [f"USAGE ON SCHEMA {name(schema)}", "SELECT ON alembic_version"]
    for table in METADATA.sorted_tables:
        more = "" if table.name in APPENDED_ONLY else ", UPDATE, DELETE"
        granted.append(f"SELECT, INSERT{more} ON {name(table.name)}")
        if table.name in APPENDED_ONLY:
            # An earlier release may have given more.
            connection.exec_driver_sql(f"REVOKE UPDATE, DELETE ON {name(table.name)} FROM {name(account)}")
    for what in granted:
        connection.exec_driver_sql(f"GRANT {what} TO {name(account)}")


def unbound_account(connection: Connection) -> str | None:
    """This function will return the name of the connection's account if it can lift or pass by the policies: an owner
    of the tables, or a superuser.
    """
    if not _is_postgresql(connection):
        return None
    return connection.execute(_UNBOUND).scalar()


def _is_postgresql(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"


_UNGUARDED = text("""
SELECT DISTINCT c.relname AS table, needed.policy FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
JOIN (VALUES ('lender', :lenders), ('holder', :holders)) AS needed (name, policy) ON needed.name = a.attname
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
AND NOT (c.relrowsecurity AND c.relforcerowsecurity
  AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = needed.policy))
ORDER BY c.relname
""")
_UNBOUND = text("""
SELECT r.rolname FROM pg_roles r WHERE r.rolname = current_user
AND (r.rolsuper OR r.rolbypassrls OR EXISTS (
  SELECT 1 FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE c.relnamespace = current_schema()::regnamespace AND a.attname = 'lender' AND pg_has_role(c.relowner, 'MEMBER')))
""")
