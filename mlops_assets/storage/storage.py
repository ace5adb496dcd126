"""Storage: where a system's batches, tables and records live."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.storage.landing_limits import LandingLimits
from mlops_assets.storage.object_stores import require_bucket, require_libraries
from mlops_assets.storage.options import fsspec_options
from mlops_assets.storage.records import RecordStore

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class Storage:
    """A root folder or object-store prefix, and the database of records beside it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     storage = Storage.local(folder)
        ...     storage.table("wine", "dataset").removeprefix(folder)
        '/lake/tables/wine/dataset'
    """

    root: str
    """Local path or fsspec URL, such as ``s3://bucket/prefix``."""
    database_url: str = field(repr=False)
    """SQLAlchemy URL of the records and the ledger."""
    options: dict[str, str] = field(default_factory=dict, repr=False)
    """Delta Lake's storage options (credentials by environment are the usual way)."""
    limits: LandingLimits = field(default_factory=LandingLimits)
    """What one landed file may hold."""

    @classmethod
    def local(cls, folder: str | Path) -> "Storage":
        """Everything below one folder: tables as files, records in sqlite."""
        folder = Path(folder).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        return cls(root=str(folder / "lake"), database_url=f"sqlite:///{folder / 'platform.db'}")

    @cached_property
    def records(self) -> RecordStore:
        return RecordStore(self.database_url)

    @cached_property
    def filesystem(self) -> "AbstractFileSystem":
        """The fsspec filesystem of ``root``.

        Raises:
            MissingExtra: if ``root`` is an object store whose library is not installed.
            StorageError: if its bucket is not there; none is made.
        """
        import fsspec

        require_libraries(self.root)
        fs = fsspec.core.url_to_fs(self.root, **fsspec_options(self.root, self.options))[0]
        require_bucket(fs, self.root)
        return fs

    def landing(self, system: str) -> str:
        """URL of the landing zone: the one ingestion boundary of ``system``."""
        return self._join("landing", system)

    def table(self, system: str, name: str) -> str:
        """URL of the Delta table ``name`` of ``system``."""
        return self._join("tables", system, name)

    def anchor(self, system: str) -> str:
        """URL of the file that notes how far the ledger of ``system`` reached."""
        return self._join("anchors", f"{system}.json")

    def _join(self, *parts: str) -> str:
        return "/".join([self.root.rstrip("/"), *parts])
