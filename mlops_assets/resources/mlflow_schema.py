"""The schema of MLflow's database: made once, by one process, and never left half made."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREPARED: set[str] = set()
"""Tracking databases whose schema this process has seen."""


def make_schema(uri: str) -> None:
    """Make the schema of the database at ``uri`` where there is none; a server looks after its own.

    Two processes that make it at once both fail, so one goes first. A sqlite file comes into its place when it is
    complete: a killed run must not leave half a schema.
    """
    if uri in PREPARED or uri.startswith(("http://", "https://")):
        return
    from mlflow import MlflowClient

    with _alone(uri):
        _make_file(uri)
        MlflowClient(uri).search_experiments(max_results=1)
    PREPARED.add(uri)


def _make_file(uri: str) -> None:
    database = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or database.exists():
        return
    from mlflow import MlflowClient

    draft = database.with_name(f"{database.name}.draft")
    draft.unlink(missing_ok=True)
    MlflowClient(f"sqlite:///{draft}").search_experiments(max_results=1)
    draft.rename(database)


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Hold a lock that every process which opens the database at ``uri`` takes; other databases have none."""
    if uri.startswith("sqlite:///"):
        from filelock import FileLock

        database = Path(uri.removeprefix("sqlite:///"))
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{database}.lock"):
            yield
    elif uri.startswith("postgresql"):
        import sqlalchemy as sa

        with sa.create_engine(uri, poolclass=sa.NullPool).connect() as connection:
            connection.execute(sa.text("SELECT pg_advisory_lock(hashtext('mlops_assets.mlflow'))"))
            yield
    else:
        yield
