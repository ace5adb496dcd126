"""The storage resource: where the assets of every system keep what they make."""

import dagster as dg

from mlops_assets.storage.storage import Storage


class StorageResource(dg.ConfigurableResource):
    """Opens the storage that the settings name."""

    root: str
    """Local path or fsspec URL of landing zone and tables."""
    database_url: str
    """SQLAlchemy URL of records and ledger."""
    options: dict[str, str] = {}
    """Passed to fsspec and Delta Lake."""

    def open(self) -> Storage:
        """The storage, with its folders made."""
        storage = Storage(root=self.root, database_url=self.database_url, options=self.options)
        storage.filesystem.makedirs(storage.root, exist_ok=True)
        return storage
