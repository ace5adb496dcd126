"""Logs: what operators set holds in commands, runs, their steps, the daemon and every server that comes later."""

import json
import logging
import logging.config
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import uvicorn
import yaml
from dagster._utils.log import configure_loggers

from mlops_assets.errors import MlopsError
from mlops_assets.logs.configuration import configure_logging
from mlops_assets.logs.handlers import current
from mlops_assets.resources.instance import TEMPLATE
from mlops_assets.settings import Settings
from mlops_assets_tests.processes import free_port
from mlops_assets_tests.shell import Shell

EVERY = {"time", "level", "logger", "function", "line", "system", "stage", "run_id", "message"}


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, configurator, shown = logging.getLogger(), logging.config.dictConfigClass, warnings.showwarning
    handlers = list(root.handlers)
    levels = {name: logging.getLogger(name).level for name in ("", "mlops_assets", "dagster", "uvicorn")}
    yield
    for handler in current():
        root.removeHandler(handler)
    root.handlers[:] = handlers
    logging.config.dictConfigClass, warnings.showwarning = configurator, shown
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_command_logs_how_it_ended_and_about_which_system(tmp_path: Path):
    file = tmp_path / "logs" / "mlops.log"
    shell = Shell(tmp_path / "home", MLOPS_LOG_FILE=str(file), MLOPS_LOG_FORMAT="json", MLOPS_LOG_LEVEL="INFO")
    assert shell.mlops("why", "nosuch").returncode == 1
    error, ended = lines(file)
    assert set(error) >= EVERY
    assert (error["level"], error["system"], error["command"]) == ("ERROR", "nosuch", "why")
    assert "No system is called 'nosuch'" in error["message"]
    assert (ended["level"], ended["message"].split(" after ")[0]) == ("INFO", "ended with 1")


@pytest.mark.slow
def test_a_run_and_its_step_processes_log_to_the_same_file(tmp_path: Path):
    file = tmp_path / "mlops.log"
    shell = Shell.with_mlflow(tmp_path / "home")
    shell.environment |= {"MLOPS_ENV": "prod", "MLOPS_EXECUTOR": "multiprocess", "MLOPS_LOG_FILE": str(file)}
    assert shell.mlops("land", "wine_quality").returncode == 0
    ran = shell.document("run", "wine_quality", "--job", "ingestion")
    assert ran["exit_code"] == 0
    read = [line for line in lines(file) if line["message"].endswith("178 rows read")]
    assert [(line["system"], line["stage"], line["level"]) for line in read] == [("wine_quality", "dataset", "INFO")]
    assert len(read[0]["run_id"]) == 36
    assert all(set(line) >= EVERY for line in lines(file))


@dg.asset(key=["tiny", "model"])
def talkative() -> None:
    logging.getLogger("mlops_assets.talkative").warning("as the library says it")
    raise dg.Failure("on purpose")


def test_what_the_library_logs_in_a_step_is_seen_in_dagster_and_once_in_the_file(tmp_path: Path):
    file = tmp_path / "mlops.log"
    configure_logging(Settings(log_file=file, log_format="json", log_level="INFO"))
    logs = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))["python_logs"]
    with dg.instance_for_test(overrides={"python_logs": logs}) as instance:
        result = dg.materialize([talkative], instance=instance, raise_on_error=False)
        seen = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert "as the library says it" in seen
    (said,) = [line for line in lines(file) if line["message"] == "as the library says it"]
    assert (said["logger"], said["function"]) == ("mlops_assets.talkative", "talkative")
    assert (said["system"], said["stage"], said["run_id"]) == ("tiny", "model", result.run_id)
    (failed,) = [line for line in lines(file) if line["event"] == "STEP_FAILURE"]
    assert (failed["stage"], "on purpose" in failed["error"]) == ("model", True)


def test_a_server_that_configures_logging_itself_still_logs_as_was_asked(tmp_path: Path, capfd):
    file = tmp_path / "mlops.log"
    configure_logging(Settings(log_file=file, log_format="json", log_level="INFO"))
    uvicorn.Config(lambda: None)
    configure_loggers()
    logging.getLogger("uvicorn.access").info("GET %s", "/")
    logging.getLogger("dagster.daemon").info("beats")
    logging.getLogger("other").info("chatter")
    assert [line["message"] for line in lines(file)] == ["GET /", "beats"]
    out, err = capfd.readouterr()
    assert (out, [json.loads(line)["message"] for line in err.splitlines()]) == ("", ["GET /", "beats"])


@pytest.mark.slow
@pytest.mark.parametrize("command", ["daemon", "ui"])
def test_the_daemon_logs_to_the_file_and_ends_with_0_when_it_is_stopped(tmp_path: Path, command: str):
    file = tmp_path / "mlops.log"
    settings = {"DAGSTER_HOME": str(tmp_path), "MLOPS_ENV": "prod", "MLOPS_LOG_FILE": str(file)}
    line = [sys.executable, "-m", "mlops_assets", command, *(["--port", str(free_port())] if command == "ui" else [])]
    with (tmp_path / "out").open("wb") as out:
        daemon = subprocess.Popen(line, env={**os.environ, **settings}, stdout=out, stderr=out, start_new_session=True)
        try:
            until = time.monotonic() + 90
            while not (said := file.exists() and _of_daemon(file)) and time.monotonic() < until:
                assert daemon.poll() is None, (tmp_path / "out").read_text()
                time.sleep(0.5)
        finally:
            daemon.send_signal(signal.SIGINT)
            try:
                ended = daemon.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(daemon.pid, signal.SIGKILL)
                raise
    assert said
    assert ended == 0, (tmp_path / "out").read_text()


def _of_daemon(file: Path) -> list[dict[str, Any]]:
    return [line for line in lines(file) if line["logger"].startswith("dagster.daemon")]


WRITER = """
import logging, sys
from pathlib import Path
from mlops_assets.logs.configuration import configure_logging
from mlops_assets.settings import Settings
configure_logging(Settings(log_file=Path(sys.argv[1]), log_file_bytes=20_000, log_files_kept=100, env="prod"))
logger = logging.getLogger("mlops_assets.writer")
for number in range(200):
    logger.info("%s of %s", number, sys.argv[2])
"""


def test_a_file_that_processes_share_is_rotated_and_loses_no_line(tmp_path: Path):
    file = tmp_path / "mlops.log"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file), name], stderr=subprocess.DEVNULL) for name in "abc"
    ]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    files = list(tmp_path.glob("mlops.log*"))
    assert len(files) > 3
    assert max(part.stat().st_size for part in files) <= 21_000
    written = sorted(line["message"] for part in files for line in lines(part))
    assert written == sorted(f"{number} of {name}" for number in range(200) for name in "abc")


def test_only_as_many_rotated_files_are_kept_as_declared(tmp_path: Path):
    configure_logging(Settings(log_file=tmp_path / "a.log", log_file_bytes=500, log_files_kept=2, env="prod"))
    for _ in range(50):
        logging.getLogger("mlops_assets").info("again")
    assert sorted(path.name for path in tmp_path.glob("a.log*")) == ["a.log", "a.log.1", "a.log.2"]


@pytest.mark.parametrize(
    ("env", "level", "form"),
    [("local", "WARNING", "text"), ("ci", "INFO", "text"), ("staging", "INFO", "json"), ("prod", "INFO", "json")],
)
def test_each_environment_has_its_defaults(env, level: str, form: str):
    settings = Settings(env=env)
    assert (settings.logged_from, settings.logged_as) == (level, form)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(MlopsError, match=r"MLOPS_LOG_FILE '.*/file/a\.log' cannot be written: .*Remedy"):
        configure_logging(Settings(log_file=tmp_path / "file" / "a.log"))
    answer = Shell(tmp_path / "home", MLOPS_LOG_FILE=str(tmp_path / "file" / "a.log")).mlops("instance")
    assert (answer.returncode, "MLOPS_LOG_FILE" in answer.stderr) == (1, True)
