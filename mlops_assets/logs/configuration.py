"""Logging of this process, as MLOPS_LOG_LEVEL, MLOPS_LOG_FORMAT and MLOPS_LOG_FILE say."""

import io
import logging
import logging.config
import os
import warnings

from mlops_assets.logs.handlers import current, renew
from mlops_assets.settings import Settings

LOUD = ("mlops_assets", "dagster", "dagster-webserver", "uvicorn")
"""Loggers heard from the level on that is set; others only from WARNING on."""
NO_NEWS = r".*is currently in (beta|preview), and may|.*Handling yaml-defined logging configuration"
"""What Dagster warns of dozens of times a process, for those who write code with it: its version is pinned."""


class _Kept(logging.config.DictConfigurator):
    """A server that configures logging by ``dictConfig`` later, as Dagster and uvicorn do, does not undo this."""

    def configure(self) -> None:
        super().configure()
        _install()


def configure_logging(settings: Settings) -> None:
    """Log to standard error, and to a rotated file where one is set, from every logger of this process.

    Commands do this when they start, and whatever loads the code location (code servers, runs, their steps) then.

    Raises:
        MlopsError: if the log file cannot be written.
    """
    root = logging.getLogger()
    for handler in current():
        root.removeHandler(handler)
    renew(settings)
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # else MLflow's loggers go round the root
    warnings.filterwarnings("ignore", message=NO_NEWS)
    logging.captureWarnings(True)
    logging.config.dictConfigClass = _Kept
    _install()


def _install() -> None:
    """Every logger to the platform's handlers, at its level; handlers that print to a console are taken off."""
    handlers, root = current(), logging.getLogger()
    loggers = [logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    for logger in (root, *loggers):
        for handler in filter(_prints, tuple(logger.handlers)):
            logger.removeHandler(handler)
            logger.propagate = True
    for handler in handlers:
        if handler not in root.handlers:
            root.addHandler(handler)
    level = max((handler.level for handler in handlers), default=logging.WARNING)
    root.setLevel(max(level, logging.WARNING))
    for name in LOUD:
        logging.getLogger(name).setLevel(level)


def _prints(handler: logging.Handler) -> bool:
    return type(handler) is logging.StreamHandler and not isinstance(handler.stream, io.StringIO)
