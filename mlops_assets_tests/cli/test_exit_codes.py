"""Exit codes: each command driven to each code that the table says it can give."""

import json
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa

from mlops_assets.cli import app
from mlops_assets.cli.exit_code import COMMANDS, ExitCode, code_of_run
from mlops_assets.defs.wine_quality.sample import rows
from mlops_assets.registry import challenge
from mlops_assets.registry.session import RegistrySession
from mlops_assets.resources.model_registry import LEDGER_TAG
from mlops_assets_tests.audit.test_verification import key_pair
from mlops_assets_tests.declaration.test_reading import MINIMAL, declared
from mlops_assets_tests.platform import changed
from mlops_assets_tests.shell import Shell

DONE, ERROR, USAGE, REFUSED, NOT_EVALUATED, AFFECTED = ExitCode
WITHOUT_SYSTEM = ("new", "doctor", "instance", "ui", "daemon")
GIVEN = {
    "new": "new cellar --data {few} --target cultivar --dry-run",
    "approve": "approve wine_quality 3 --reason tasted",
    "decline": "decline wine_quality 3 --reason tasted",
    "rollback": "rollback wine_quality --reason tasted",
    "compare": "compare wine_quality 1 2",
    "trace": "trace wine_quality --version 1",
    "ledger accept": "ledger accept wine_quality --reason tasted",
    "sign": "sign wine_quality 2 --key {key}",
    "doctor": "doctor",
    "instance": "instance",
    "daemon": "daemon",
    "ui": "ui",
}
"""What leads to 0 where it is more than the command and a system."""


def _of_nobody(name: str) -> str:
    return GIVEN.get(name, f"{name} wine_quality").replace("wine_quality", "nosuch")


def _command(line: str) -> str:
    return next(name for name in sorted(COMMANDS, key=len, reverse=True) if f"{line} ".startswith(f"{name} "))


ENDINGS = [
    (REFUSED, "approve wine_quality 2 --reason tasted"),  # it is champion already
    (REFUSED, "decline wine_quality 2 --reason tasted"),
    (REFUSED, "rollback wine_quality --to 2 --reason tasted"),
    (REFUSED, "ledger accept wine_quality --reason tasted"),  # nothing is wrong with it
    (AFFECTED, "trace wine_quality --batch again.csv"),
    (ERROR, "new cellar --data missing.csv --target cultivar"),
    (ERROR, "history wine_quality --at 2020-01-01"),
    (ERROR, "sign wine_quality 2 --key {few}"),
    (ERROR, "land wine_quality missing.csv"),
    (ERROR, "ui --host 0.0.0.0"),  # without tokens
    *((ERROR, _of_nobody(name)) for name in COMMANDS if name not in WITHOUT_SYSTEM),
    (USAGE, "land wine_quality --retract abc"),
    (USAGE, "run wine_quality --job all"),
    (USAGE, "rollback wine_quality --reason ' '"),
    (USAGE, "history wine_quality --at yesterday"),
    (USAGE, "trace wine_quality"),
    *((USAGE, f"{name} --nosuch") for name in COMMANDS),
]
MORE = {("compare", NOT_EVALUATED), ("archive", REFUSED), *(("run", code) for code in (DONE, REFUSED, NOT_EVALUATED))}
MORE |= {(name, NOT_EVALUATED) for name in ("verify", "ledger verify")}
MORE |= {(name, ERROR) for name in ("aliases", "verify", "ledger verify", "doctor", "instance", "daemon")}
"""Endings that have a test of their own below."""
UNSEEN = """\
    volume: {min_rows: 100}
  features: {exclude: [seen]}
  model: {estimator: sklearn.linear_model.LogisticRegression}
  evaluation: {gates: [{metric: accuracy, at_least: 0.1, min_rows: 100000}]}
"""


@pytest.fixture
def shell(waiting: RegistrySession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A home where version 2 is champion and version 3 waits; wine is declared as it was judged."""
    app_module = import_module("mlops_assets.cli.app")
    find = app_module.find_system
    wine = waiting.spec
    monkeypatch.setattr(app_module, "find_system", lambda name, *more: wine if name == wine.name else find(name, *more))
    return Shell(Path(waiting.tracking.artifact_root or "").parent, PLAYGROUND=str(tmp_path))


def said(shell: Shell, line: str) -> tuple[int, str]:
    """How the command line ended, and all that it printed."""
    folder = Path(shell.environment["PLAYGROUND"])
    rows().head(60).to_csv(folder / "few.csv", index=False)
    key, _ = key_pair(folder, "ours")
    words = [word.format(few=folder / "few.csv", key=key) for word in line.replace("' '", "_").split(" ")]
    answer = shell.mlops(*(" " if word == "_" else word for word in words))
    return answer.returncode, answer.stdout + answer.stderr


def test_no_command_and_no_ending_is_missing_from_the_table_or_from_these_tests():
    names = {info.name or info.callback.__name__ for info in app.registered_commands if info.callback}
    assert set(COMMANDS) == names | {"ledger verify", "ledger accept"}
    shown = {(_command(line), code) for code, line in ENDINGS} | MORE
    shown |= {(name, DONE) for name in COMMANDS}
    stated = {(name, code) for name, codes in COMMANDS.items() for code in (*codes, ERROR, USAGE)}
    assert shown == stated


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"run", "ui", "daemon", "ledger accept"}))
def test_a_command_that_did_what_it_was_asked_ends_with_0(shell: Shell, name: str):
    code, text = said(shell, GIVEN.get(name, f"{name} wine_quality"))
    assert code == DONE, text


@pytest.mark.parametrize(("code", "line"), ENDINGS, ids=lambda value: str(value))
def test_what_a_command_did_not_do_shows_in_its_exit_code(shell: Shell, code: ExitCode, line: str):
    ended, text = said(shell, line)
    assert ended == code, text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", ["approve", "decline", "rollback", "archive"])
def test_who_may_not_is_refused(shell: Shell, waiting: RegistrySession, monkeypatch: pytest.MonkeyPatch, name: str):
    bound = changed(waiting.spec, registry={**waiting.spec.registry.model_dump(), "approvers": ["somebody else"]})
    monkeypatch.setattr(import_module("mlops_assets.cli.app"), "find_system", lambda *_: bound)
    code, text = said(shell, GIVEN.get(name, f"{name} wine_quality"))
    assert (code, f"may not {name}" in text) == (REFUSED, True)


def test_versions_that_share_too_few_rows_are_not_evaluated(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(challenge, "FEWEST_ROWS", 10_000)
    assert said(shell, "compare wine_quality 1 2")[0] == NOT_EVALUATED


@pytest.mark.parametrize("line", ["verify wine_quality", "ledger verify"])
def test_evidence_that_does_not_hold_is_an_error(shell: Shell, waiting: RegistrySession, line: str):
    with waiting.storage.records.engine.begin() as connection:
        connection.execute(sa.text("UPDATE mlops_ledger SET actor = 'nobody' WHERE sequence = 9"))
    assert said(shell, line)[0] == ERROR


@pytest.mark.parametrize("line", ["verify wine_quality", "ledger verify"])
def test_a_ledger_whose_head_is_noted_nowhere_is_not_evaluated(shell: Shell, waiting: RegistrySession, line: str):
    waiting.tracking.client.delete_registered_model_tag(waiting.system, LEDGER_TAG)
    waiting.storage.filesystem.rm(waiting.storage.anchor(waiting.system))
    assert said(shell, line)[0] == NOT_EVALUATED


def test_a_ledger_that_is_not_the_one_noted_is_accepted_with_0(shell: Shell, waiting: RegistrySession):
    waiting.tracking.client.delete_registered_model_tag(waiting.system, LEDGER_TAG)
    assert said(shell, "ledger accept wine_quality --reason tasted")[0] == DONE
    assert said(shell, "ledger verify")[0] == DONE


def test_an_alias_moved_by_hand_is_an_error(shell: Shell, waiting: RegistrySession):
    waiting.tracking.client.set_registered_model_alias(waiting.system, "champion", "1")
    assert said(shell, "aliases wine_quality")[0] == ERROR
    assert said(shell, "aliases wine_quality --restore")[0] == DONE


@pytest.mark.parametrize("name", ["doctor", "instance", "daemon"])
def test_a_home_that_cannot_be_written_is_an_error(tmp_path: Path, name: str):
    (tmp_path / "file").write_text("no folder")
    answer = Shell(tmp_path / "file" / "home").mlops(name)
    assert answer.returncode == ERROR, answer.stdout


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("MLOPS_ENV", "production", "MLOPS_ENV: Input should be 'local', 'ci'"),
        ("MLOPS_SYSTEMS", "x", "MLOPS_SYSTEMS: no JSON. Remedy: "),
    ],
)
def test_a_setting_that_cannot_be_meant_is_wrong_usage(tmp_path: Path, variable: str, value: str, message: str):
    answer = Shell(tmp_path / "home", **{variable: value}).mlops("instance")
    assert (answer.returncode, answer.stderr.count(message)) == (USAGE, 1)


def test_a_process_of_its_own_ends_with_the_same_code(shell: Shell):
    affected = shell.alone("trace", "wine_quality", "--batch", "again.csv")
    assert affected.returncode == AFFECTED, affected.stderr


@pytest.mark.slow
def test_a_run_tells_an_error_from_a_failed_gate_and_from_one_that_was_not_evaluated(tmp_path: Path):
    declared(tmp_path / "mine", MINIMAL + UNSEEN)
    shell = Shell.with_mlflow(tmp_path / "home")
    shell.environment["MLOPS_SYSTEMS"] = json.dumps([str(tmp_path / "mine")])
    nothing = shell.mlops("run", "tiny")
    assert nothing.returncode == ERROR
    assert "No batch is in the dataset. Remedy: mlops land tiny" in nothing.stdout
    assert "Log: " in nothing.stdout
    land(shell, tmp_path / "few.csv", range(20))
    failed = shell.mlops("run", "tiny")
    assert failed.returncode == REFUSED
    assert "tiny/dataset: volume failed: 20 rows, expected are at least 100" in failed.stdout
    land(shell, tmp_path / "more.csv", range(20, 420))
    unseen = shell.document("run", "tiny")
    assert unseen["exit_code"] == NOT_EVALUATED, unseen["refusals"]
    assert unseen["refusals"][0].startswith("Blocked by a check of tiny/evaluation: accuracy_at_least not evaluated")
    assert shell.mlops("run", "tiny", "--job", "ingestion", "--force").returncode == DONE


def land(shell: Shell, file: Path, numbers: range) -> None:
    lines = [
        f"{n / 7:.3f},{'red' if n % 3 else 'blue'},2026-01-{n % 28 + 1:02},1.5,{int((n % 3 > 0) != (n % 7 == 0))}"
        for n in numbers
    ]
    file.write_text("\n".join(["size,colour,seen,paid,label", *lines]) + "\n", encoding="utf-8")
    assert shell.mlops("land", "tiny", str(file)).returncode == DONE


@pytest.mark.parametrize(
    ("refusals", "code"),
    [
        ([], ERROR),
        (["StorageError: gone"], ERROR),
        (["Blocked by a check of tiny/evaluation: accuracy_at_least failed: 0.1"], REFUSED),
        (["Blocked by a check of tiny/evaluation: accuracy_at_least not evaluated: 3 rows"], NOT_EVALUATED),
        (["GateNotEvaluated: tiny model 1 is refused: a not evaluated (3 rows)"], NOT_EVALUATED),
        (
            [
                "Blocked by a check of tiny/evaluation: a not evaluated: 3 rows",
                "Blocked by a check of tiny/evaluation: b failed: 0.1",
            ],
            REFUSED,
        ),
        (["Blocked by a check of tiny/evaluation: b failed: 0.1", "OSError: disk full"], ERROR),
    ],
)
def test_a_failed_gate_counts_before_one_that_was_not_evaluated(refusals: list[str], code: ExitCode):
    assert code_of_run(1, refusals) == code
    assert code_of_run(0, refusals) == DONE
