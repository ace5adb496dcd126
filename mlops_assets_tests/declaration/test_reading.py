"""Declarations: every mistake is refused at load, with file, line, value and what is allowed."""

from pathlib import Path

import pytest

from mlops_assets.declaration.reading import SHIPPED, declared_systems, find_system, read_declaration
from mlops_assets.errors import SpecError

MINIMAL = """\
type: mlops_assets.component.MLSystem
attributes:
  name: tiny
  task: classification
  dataset:
    target: label
    columns:
      size: {type: float, min: 0}
      colour: {type: string, allowed: [red, blue]}
      seen: {type: date}
      paid: {type: float, post_outcome: true}
      label: {type: integer, allowed: [0, 1]}
"""


def declared(folder: Path, text: str, name: str = "tiny") -> Path:
    path = folder / name / "defs.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_name_task_target_and_columns_are_enough(tmp_path: Path):
    spec = read_declaration(declared(tmp_path, MINIMAL))
    assert spec.feature_columns() == ["size", "colour", "seen"]
    assert [gate.name for gate in spec.evaluation.gates] == ["beats_baseline"]


def test_two_declarations_are_equal_wherever_they_stand(tmp_path: Path):
    here, there = (read_declaration(declared(tmp_path / folder, MINIMAL)) for folder in ("here", "there"))
    assert here == there
    assert here.place != there.place


@pytest.mark.parametrize(
    ("extra", "line", "told"),
    [
        ("  model: {estimatr: x}\n", 13, r"model\.estimatr: unknown key 'estimatr'\. Allowed keys: .*estimator"),
        ("  features:\n    split: {tst: 0.1}\n", 14, r"unknown key 'tst'\. Allowed keys: group, identity"),
        (
            "  features:\n    split: {group: house}\n",
            14,
            r"'house' is not a declared column\. Declared columns: colour",
        ),
        (
            "  features:\n    columns: [size, weight]\n",
            14,
            r"features\.columns\[1\]: 'weight' is not a declared column",
        ),
        ("  features:\n    columns: [size, label]\n", 14, r"features\.columns\[1\]: 'label' is the target"),
        ("  features:\n    columns: [paid]\n", 14, r"'paid' is known only after the outcome"),
        ("  features:\n    split: {time: size}\n", 14, r"'size' is float; a date or datetime is needed"),
        ("  features:\n    split: {test: 0.8, validation: 0.3}\n", 14, r"leave no rows to train on"),
        (
            "  evaluation:\n    gates:\n      - {metric: acc, at_least: 0.8}\n",
            15,
            r"evaluation\.gates\[0\]\.metric: 'acc' is not a metric\. Metrics: accuracy",
        ),
        (
            "  evaluation:\n    gates:\n      - {metric: r2, at_least: 0.8}\n",
            15,
            r"'r2' is not a classification metric\. Metrics: accuracy",
        ),
        ("  evaluation:\n    gates:\n      - {metric: accuracy}\n", 15, r"needs exactly one of at_least, at_most"),
        (
            "  evaluation:\n    gates:\n      - {metric: accuracy, at_least: 0.8, slice: {column: size_, equals: 1}}\n",
            15,
            r"'size_' is not a declared column",
        ),
        (
            "  evaluation:\n    gates: [{metric: accuracy, at_least: 1}, {metric: accuracy, at_least: 2}]\n",
            14,
            r"a gate 'accuracy_at_least' is declared twice",
        ),
        (
            "  registry: {method: delong}\n",
            13,
            r"registry\.method: 'delong' is for roc_auc, compared is metric 'accuracy'",
        ),
        (
            "  registry: {metric: f1, cost: {false_positive: 1, false_negative: 2}}\n",
            13,
            r"registry\.cost: the comparison is by cost or by metric 'f1', not both",
        ),
        ("  registry: {promotion: {production: approval}}\n", 13, r"'production' is not an environment"),
        ("  registry:\n    guards: [{metric: r2, margin: 0}]\n", 14, r"guards\[0\]\.metric: 'r2' is not a classif"),
        ("  registry:\n    guards: [{margin: 0}]\n", 14, r"a guard names either a metric or a measure"),
        (
            "  registry:\n    guards: [{measure: calibration.temperature, margin: 0}]\n",
            14,
            r"of 'calibration.temperature' neither more nor less is better",
        ),
        (
            "  registry:\n    guards: [{metric: recall, slice: {column: tone, equals: 1}, margin: 0}]\n",
            14,
            r"'tone' is not a declared column",
        ),
        ("  automation: {train: every day}\n", 13, r"'every day' is not a cron schedule"),
        ("  task: clustering\n", 13, r"task: Input should be 'classification' or 'regression', got 'clustering'"),
        ("  resources: {memory: plenty}\n", 13, r"resources\.memory: String should match pattern"),
    ],
)
def test_a_mistake_is_refused_with_its_line(tmp_path: Path, extra: str, line: int, told: str):
    path = declared(
        tmp_path, MINIMAL.replace("  task: classification\n", "") + extra if "task:" in extra else MINIMAL + extra
    )
    line = line - 1 if "task:" in extra else line
    with pytest.raises(SpecError, match=rf"defs\.yaml:{line}: .*{told}"):
        read_declaration(path)


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        (
            "{type: flot}",
            "{type: float, min: 0}",
            r":8: dataset\.columns\.size\.type: Input should be 'float', 'integer'",
        ),
        ("{type: float, mn: 0}", "{type: float, min: 0}", r":8: dataset\.columns\.size\.mn: unknown key 'mn'"),
        ("{type: string, min: 3}", "{type: float, min: 0}", r":8: .*a string column has no range"),
        ("{type: float, min: 9, max: 3}", "{type: float, min: 0}", r":8: .*\.min: min 9 is above max 3"),
        (
            "{type: float, min: 2020-01-01}",
            "{type: float, min: 0}",
            r":8: .*\.min: datetime\.date\(2020, 1, 1\) is no float",
        ),
        ("[yes, no]", "[red, blue]", r":9: .*allowed\[0\]: True is a boolean in YAML; quote words such as 'yes'"),
        ("[0, one]", "[0, 1]", r":12: .*allowed\[1\]: 'one' is no integer"),
        ("target: lable", "target: label", r":6: dataset\.target: 'lable' is not a declared column"),
        ("name: Tiny System", "name: tiny", r":3: name: String should match pattern"),
    ],
)
def test_a_mistake_inside_the_dataset_is_refused_with_its_line(tmp_path: Path, wrong: str, right: str, told: str):
    with pytest.raises(SpecError, match=told):
        read_declaration(declared(tmp_path, MINIMAL.replace(right, wrong)))


def test_all_mistakes_are_told_at_once(tmp_path: Path):
    text = MINIMAL.replace("{type: float, min: 0}", "{type: flot}") + "  model: {estimatr: x}\n"
    with pytest.raises(SpecError, match=r"(?s):8: .*\n.*:13: "):
        read_declaration(declared(tmp_path, text))


def test_broken_yaml_is_refused_with_its_place(tmp_path: Path):
    with pytest.raises(SpecError, match=r"defs\.yaml:4: is not YAML: "):
        read_declaration(declared(tmp_path, "type: x\nattributes:\n  a: [1, 2\n"))


def test_a_name_is_declared_once(tmp_path: Path):
    declared(tmp_path, MINIMAL, "first")
    second = declared(tmp_path, MINIMAL, "second")
    with pytest.raises(
        SpecError, match=r"second.defs\.yaml:3: name: the system 'tiny' is declared already, in .*first"
    ):
        read_declaration(second, among=[tmp_path])


def test_an_unknown_system_is_told_the_known_ones():
    with pytest.raises(SpecError, match=r"No system is called 'wine'\. Declared systems: .*wine_quality"):
        find_system("wine", [SHIPPED])


@pytest.mark.parametrize("path", list(declared_systems([SHIPPED])), ids=lambda path: path.parent.name)
def test_shipped_systems_are_declared_in_folders_of_their_name(path: Path):
    assert read_declaration(path, among=[SHIPPED]).name == path.parent.name
