"""The storage resource: where the assets of every system keep what they make."""

import json

import dagster as dg
from pydantic import Field

from mlops_assets.settings import Settings
from mlops_assets.storage.object_stores import make_folder
from mlops_assets.storage.storage import Storage


class StorageResource(dg.ConfigurableResource):
    """Opens the storage that the settings name."""

    root: str
    """Local path or fsspec URL of landing zone and tables."""
    database_url: str = Field(repr=False)
    """SQLAlchemy URL of records and ledger."""
    options: str = Field(default="", repr=False)
    """JSON object of Delta Lake's storage options: one text, so that it can be a reference to a variable."""

    def open(self) -> Storage:
        """The storage, with its folders made."""
        limits = Settings().landing_limits
        storage = Storage(
            root=self.root, database_url=self.database_url, options=json.loads(self.options or "{}"), limits=limits
        )
        make_folder(storage.filesystem, storage.root)
        return storage
