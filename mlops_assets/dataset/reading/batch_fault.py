"""Batch faults: of what goes wrong while a batch is checked, what is the file's doing and what is not."""

import logging

from mlops_assets.dataset.commit import Overtaken
from mlops_assets.errors import BatchRejected, MlopsError

_PANICS = ("PanicException",)
"""Rust panics, of which every library has its own class; none is an Exception."""


def rejection_for(error: BaseException) -> BatchRejected | None:
    """The rejection that ``error`` is, None where disk, network, another process or a person is behind it."""
    if isinstance(error, BatchRejected):
        return error
    if not _of_the_batch(error):
        return None
    logging.getLogger(__name__).warning("A batch could not be checked", exc_info=error)
    reason = f"{type(error).__name__}: {str(error)[:300]}. Remedy: see which cells are unusual, and write the file anew"
    return BatchRejected("unreadable_file", reason)


def _of_the_batch(error: BaseException) -> bool:
    from deltalake.exceptions import DeltaError
    from sqlalchemy.exc import SQLAlchemyError

    if type(error).__name__ in _PANICS:
        return True
    elsewhere = (MlopsError, Overtaken, OSError, DeltaError, SQLAlchemyError)
    return isinstance(error, Exception) and not isinstance(error, elsewhere)
