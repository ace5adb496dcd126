"""Landing: the one boundary through which rows come in."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from mlops_assets.dataset.files import open_bytes
from mlops_assets.dataset.irregular import kind_of
from mlops_assets.dataset.landing_zone import Landed, Progress, Zone
from mlops_assets.declaration.base import load_object
from mlops_assets.errors import LandingError, SpecError

if TYPE_CHECKING:
    from mlops_assets.declaration.spec import SystemSpec
    from mlops_assets.storage.storage import Storage


def land(
    storage: "Storage", system: str, source: str | Path, on_progress: Progress | None = None, anew: bool = False
) -> Landed:
    """Bring a file, or whatever an fsspec URL points at, into the landing zone of ``system``.

    ``anew`` puts the bytes in the place of those that landed before under the same name: they may have been changed.

    Raises:
        LandingError: if ``source`` cannot be read.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from mlops_assets.storage.storage import Storage
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "june.csv")
        ...     _ = file.write_text("plan,spend\\nbasic,9.5\\n")
        ...     storage = Storage.local(folder)
        ...     first, again = land(storage, "shop", file), land(storage, "shop", file)
        >>> first.original, first.bytes, first.new, again.new
        ('june.csv', 21, True, False)
    """
    with _opened(source) as (handle, size):
        return Zone(storage, system).receive(handle, _basename(source), size, on_progress, anew)


def land_sample(storage: "Storage", spec: "SystemSpec") -> Landed:
    """Bring in the declared sample rows, written as CSV under the name ``<system>_sample.csv``.

    Raises:
        SpecError: if the system declares no sample, or the sample is not a pandas or polars frame.
    """
    if spec.dataset.sample is None:
        raise SpecError(
            f"{spec.name!r} declares no dataset.sample. Remedy: name a file to land, or declare the function"
        )
    frame = load_object(spec.dataset.sample, requested_by=f"{spec.name}: dataset.sample")()
    content = _as_csv(frame, spec.dataset.sample)
    return Zone(storage, spec.name).receive(io.BytesIO(content), f"{spec.name}_sample.csv", len(content), None)


def pending_names(storage: "Storage", system: str) -> list[str]:
    """Names in the zone that wait for ingestion, dropped files included: cheap enough for a sensor's tick."""
    return Zone(storage, system).waiting()


def pending(storage: "Storage", system: str) -> list[Landed]:
    """Batches that no ingestion has decided on yet, oldest first."""
    zone = Zone(storage, system)
    decided = zone.decided()
    waiting = [landed for name in zone.waiting() if (landed := zone.describe(name)) is not None]
    batches = {landed.batch: landed for landed in waiting if landed.batch not in decided}
    return sorted(batches.values(), key=lambda landed: (landed.landed_at, landed.file))


def refused(storage: "Storage", system: str) -> dict[str, str]:
    """What lies in the zone and is never taken in, by name: why."""
    return Zone(storage, system).refused()


def find_landed(storage: "Storage", system: str, file: str) -> Landed | None:
    """The batch behind a ``file`` of the zone, None where it lies there no longer."""
    return Zone(storage, system).describe(file)


def adopt(storage: "Storage", system: str) -> list[Landed]:
    """Give files that somebody dropped into the zone their content name and a receipt; returns these batches."""
    zone = Zone(storage, system)
    names = [name for name in zone.waiting() if not zone.has_receipt(name)]
    return [landed for name in names if (landed := zone.adopt(name)) is not None]


def landed_path(storage: "Storage", system: str, file: str) -> str:
    """Path of a landed file on ``storage.filesystem``."""
    return Zone(storage, system).path(file)


def _is_url(source: str | Path) -> bool:
    return isinstance(source, str) and "://" in source


def _basename(source: str | Path) -> str:
    path = urlsplit(source).path if isinstance(source, str) and _is_url(source) else str(source)
    return path.rstrip("/").rpartition("/")[2] or "unnamed"


@contextmanager
def _opened(source: str | Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """The bytes of ``source`` and how many there are, where that is known beforehand."""
    import fsspec

    try:
        if _is_url(source):
            fs, path = fsspec.core.url_to_fs(str(source))
            handle = open_bytes(fs, path)
            size = getattr(handle, "size", None)
        else:
            if irregular := kind_of(Path(source).stat().st_mode):
                raise ValueError(f"it is {irregular}")
            handle = Path(source).open("rb")  # noqa: SIM115 - closed below, where errors are no longer the opening's
            size = Path(source).stat().st_size
    except (OSError, ImportError, ValueError) as error:
        raise LandingError(f"{str(source)!r} cannot be read: {error}. Remedy: name a readable file or URL") from error
    with handle:
        yield handle, size


def _as_csv(frame: Any, path: str) -> bytes:
    if hasattr(frame, "write_csv"):
        return frame.write_csv().encode()
    if hasattr(frame, "to_csv"):
        return frame.to_csv(index=False, lineterminator="\n").encode()
    raise SpecError(f"dataset.sample {path!r} returned {type(frame).__name__}; a pandas or polars frame is needed")
