"""Where log records go: standard error, a rotated file that processes share, and what Dagster logs of a run."""

import logging
import sys

from mlops_assets.errors import MlopsError
from mlops_assets.logs.line import JsonLine, TextLine
from mlops_assets.settings import Settings

_current: list[logging.Handler] = []


class StandardError(logging.Handler):
    """Writes to whatever is standard error at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


class RunRecords(logging.Handler):
    """Named in ``dagster.yaml``: hands what Dagster logs of a run, its events included, to the platform's handlers."""

    def emit(self, record: logging.LogRecord) -> None:
        for handler in _current:
            if record.levelno >= handler.level:
                handler.handle(record)
        record.delivered = True


def current() -> list[logging.Handler]:
    """The platform's handlers of this process."""
    return list(_current)


def renew(settings: Settings) -> list[logging.Handler]:
    """The handlers that ``settings`` ask for, in the place of those there were.

    Raises:
        MlopsError: if the log file cannot be written.
    """
    made = [_standard_error(settings), *_file(settings)]
    for handler in made:
        handler.setLevel(settings.logged_from)
        handler.setFormatter(JsonLine() if settings.logged_as == "json" else TextLine())
        handler.addFilter(_is_new)
    for old in _current:
        old.close()
    _current[:] = made
    return made


def _standard_error(settings: Settings) -> logging.Handler:
    handler = StandardError()
    if settings.logged_as == "text":
        handler.addFilter(_is_unseen)
    return handler


def _file(settings: Settings) -> list[logging.Handler]:
    if settings.log_file is None:
        return []
    from concurrent_log_handler import ConcurrentRotatingFileHandler

    path = settings.log_file.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise MlopsError(f"MLOPS_LOG_FILE {str(path)!r} cannot be written: {error}. Remedy: another file") from error
    return [
        ConcurrentRotatingFileHandler(
            path, maxBytes=settings.log_file_bytes, backupCount=settings.log_files_kept, encoding="utf-8"
        )
    ]


def _is_new(record: logging.LogRecord) -> bool:
    """Whether ``RunRecords`` has not delivered it already."""
    return not hasattr(record, "delivered")


def _is_unseen(record: logging.LogRecord) -> bool:
    """Whether the person at the console has not been told: a command has, and Dagster prints what it logs of a run."""
    return not hasattr(record, "shown") and not hasattr(record, "dagster_meta")
