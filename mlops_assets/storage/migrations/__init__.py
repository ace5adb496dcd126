"""Migrations of the platform's database, one module per revision, run by Alembic when an older database is opened."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

VERSION_TABLE = "mlops_schema"
"""Where a database says which revision it has."""


def configuration(connection: "Connection") -> "Config":
    """Alembic's configuration for an open connection, whose transaction is the caller's."""
    from alembic.config import Config

    configured = Config()
    configured.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    configured.attributes.update(connection=connection, version_table=VERSION_TABLE)
    return configured
