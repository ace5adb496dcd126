"""The subject of what is logged: system, stage and run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from logging import LogRecord
from types import MappingProxyType

_SUBJECT: ContextVar[Mapping[str, str]] = ContextVar("subject", default=MappingProxyType({}))


def concerning(**names: str) -> None:
    """From here on, what this thread or task logs is about these: ``system``, ``stage``, ``run_id`` or others."""
    _SUBJECT.set({**_SUBJECT.get(), **names})


@contextmanager
def own_subject() -> Iterator[None]:
    """What ``concerning`` says inside ends with the block.

    Example:
        >>> with own_subject():
        ...     concerning(system="wine_quality")
        ...     inside = dict(_SUBJECT.get())
        >>> inside, dict(_SUBJECT.get())
        ({'system': 'wine_quality'}, {})
    """
    token = _SUBJECT.set(_SUBJECT.get())
    try:
        yield
    finally:
        _SUBJECT.reset(token)


def subject(record: LogRecord) -> dict[str, str | None]:
    """System, stage and run of a record, and what else is known; what Dagster noted on it comes first."""
    known: dict[str, str | None] = {"system": None, "stage": None, "run_id": None}
    noted = getattr(record, "dagster_meta", None)
    return known | dict(_SUBJECT.get()) | (_of_run(noted) if noted else {})


def _of_run(noted: Mapping[str, object]) -> dict[str, str]:
    tags = noted.get("job_tags")
    system, _, stage = str(noted.get("step_key") or "").rpartition("__")
    tagged = str(tags.get("system", "")) if isinstance(tags, Mapping) else ""
    known = {"system": system or tagged, "stage": stage, "run_id": str(noted.get("run_id") or "")}
    return {name: value for name, value in known.items() if value}
