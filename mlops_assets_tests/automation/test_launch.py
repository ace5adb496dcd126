"""A run that is followed line by line: every step is told of, though a line of its log broke."""

import sys
from pathlib import Path

import pytest

from mlops_assets.automation import launch as launching
from mlops_assets.automation.launch import Ended, Step, launch
from mlops_assets.settings import Settings

LINE = "2026-01-01 00:00:00 +0000 - dagster - DEBUG - wine_training - {run} - 7 - wine__{step} - {event} - and more"
RUN = "0" * 8 + "-0000" * 3 + "-" + "0" * 12


def lines(*steps: tuple[str, str]) -> list[str]:
    return [LINE.format(run=RUN, step=step, event=event) for step, event in steps]


@pytest.mark.parametrize(("code", "ends"), [(0, ["STEP_SUCCESS", "STEP_SUCCESS"]), (1, ["STEP_SUCCESS"])])
def test_a_step_whose_line_broke_succeeded_where_the_run_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, ends: list[str]
):
    written = lines(("dataset", "STEP_START"), ("dataset", "STEP_SUCCESS"), ("model", "STEP_START"))
    broken = lines(("model", "STEP_SUCCESS"))[0].replace(" - STEP_SUCCESS", " - STEP_SUCC Downloading artifacts")
    script = "\n".join([f"print({line!r})" for line in [*written, broken]] + [f"raise SystemExit({code})"])
    monkeypatch.setattr(launching, "command", lambda job: [sys.executable, "-c", script, job])
    followed = list(launch(Settings(home=tmp_path), "wine_training"))
    steps = [event for event in followed if isinstance(event, Step)]
    assert [step.event for step in steps if step.event != "STEP_START"] == ends
    assert [step.name for step in steps if step.event == "STEP_SUCCESS"] == ["dataset", "model"][: len(ends)]
    (ended,) = (event for event in followed if isinstance(event, Ended))
    assert ended.code == code
