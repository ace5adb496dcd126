"""What others wrote, and what must stay secret, on its way into the logs."""

import json
import logging

import pytest

from mlops_assets.logs.line import JsonLine, TextLine

HOSTILE = "june.csv\n2026-01-01T00:00:00.000+00:00 INFO mlops_assets.cli main:1 all is well\x1b[2J\u2028more\r"


def record(message: str, *arguments: object, error: Exception | None = None, **more: object) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("mlops_assets.x", logging.ERROR, "x.py", 1, message, arguments, exc_info, "land")
    vars(made).update(more)
    return made


@pytest.mark.parametrize("formatter", [TextLine(), JsonLine()])
def test_a_file_name_cannot_forge_a_log_line(formatter: logging.Formatter):
    for made in (record("%s is refused", HOSTILE), record("refused", file=HOSTILE)):
        line = formatter.format(made)
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line


def test_an_error_cannot_forge_a_log_line():
    """Its text goes on below, indented: no line of it begins as a record does."""
    first, *below = TextLine().format(record("failed", error=ValueError(HOSTILE))).splitlines()
    assert first.endswith("failed")
    assert all(line.startswith("    ") for line in below)


@pytest.mark.parametrize("formatter", [TextLine(), JsonLine()])
def test_no_secret_reaches_a_log_line(formatter: logging.Formatter, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLOPS_WEBHOOK_SECRET", 'planted"secret')
    url = "postgresql://ada:planted-too@db/x"
    made = record("%s and %s", 'planted"secret', url, error=OSError(url), seen={"at": [url, 'planted"secret']})
    line = formatter.format(made)
    assert "planted" not in line
    assert "postgresql://ada:***@db/x" in line


def test_a_value_that_is_no_json_makes_a_line_of_json_all_the_same():
    made = record("odd", number=float("nan"), thing=object(), text="\ud800")
    assert json.loads(JsonLine().format(made))["number"] == "nan"
