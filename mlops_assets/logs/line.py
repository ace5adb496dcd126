"""A log record as one line of text or JSON, without secrets."""

import json
import logging
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from mlops_assets.logs.subject import subject
from mlops_assets.resources.redaction import redacted

_OF_DAGSTER = {"dagster_meta", "dagster_event", "dagster_event_batch_metadata"}
_OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "shown", "delivered", *_OF_DAGSTER}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class JsonLine(logging.Formatter):
    """One JSON object a record: time, level, logger, function, line, system, stage, run_id, message and the rest."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(facts(record) | {"error": _error(record)})


class TextLine(logging.Formatter):
    """The same for people; a message is one line whatever is in it, and only an error's traceback goes on below."""

    def format(self, record: logging.LogRecord) -> str:
        known = facts(record)
        start = [known.pop(name) for name in ("time", "level", "logger")]
        place = f"{known.pop('function')}:{known.pop('line')}"
        message = _CONTROL.sub(_escaped, str(known.pop("message")))
        rest = [f"{name}={_CONTROL.sub(_escaped, str(value))}" for name, value in known.items() if value is not None]
        first = " ".join(map(str, [*start, place, *rest, message]))
        below = (_error(record) or "").splitlines()
        return "\n".join([first, *(f"    {_CONTROL.sub(_escaped, text)}" for text in below)])


def facts(record: logging.LogRecord) -> dict[str, object]:
    """What is known of a record, by name; every text in it is redacted."""
    more = {name: value for name, value in vars(record).items() if name not in _OWN}
    known = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "function": record.funcName,
        "line": record.lineno,
        **subject(record),
        "event": _event(record),
        "message": _message(record),
    }
    return {name: _clean(value) for name, value in (more | known).items()}


def _message(record: logging.LogRecord) -> str:
    """As it was logged: Dagster puts job, run and step before it, which have fields of their own here."""
    noted = getattr(record, "dagster_meta", None)
    return str(noted["orig_message"]) if noted else record.getMessage()


def _event(record: logging.LogRecord) -> str | None:
    """Which of Dagster's events it tells of."""
    event = getattr(record, "dagster_event", None)
    return event.event_type_value if event is not None else None


def _error(record: logging.LogRecord) -> str | None:
    """The traceback that was logged, or that of the step that failed."""
    if record.exc_info and record.exc_info[0] is not None:
        return redacted(logging.Formatter().formatException(record.exc_info))
    data = getattr(getattr(record, "dagster_event", None), "event_specific_data", None)
    error = getattr(data, "error", None)
    return redacted(error.to_string()) if error is not None else None


def _clean(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner) for inner in value]
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return redacted(str(value))


def _escaped(control: re.Match[str]) -> str:
    return control[0].encode("unicode_escape").decode("ascii")
