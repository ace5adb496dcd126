"""Environments: parts of a declaration that differ by environment, read whole and checked everywhere."""

import json
from pathlib import Path

import pytest

from mlops_assets.automation.health import examine_declarations
from mlops_assets.declaration.environments import place_of
from mlops_assets.declaration.reading import read_declaration
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import SpecError
from mlops_assets.evaluation.gates_elsewhere import looser_than_elsewhere
from mlops_assets.evaluation.terms import declared_terms, differences
from mlops_assets.preflight import declaration_digest
from mlops_assets.settings import Settings

TEXT = """\
type: mlops_assets.component.MLSystem
attributes:
  name: tiny
  task: classification
  dataset:
    target: y
    columns: {x: {type: float}, y: {type: integer}}
  evaluation:
    gates: [{metric: accuracy, at_least: 0.7}]
"""
STRICTER = """\
  environments:
    prod:
      evaluation:
        gates:
          - {metric: accuracy, at_least: 0.9, severity: block}
          - {metric: balanced_accuracy, at_least: 0.8}
        confidence: 0.99
      resources: {cpu: 2}
      automation: {train: "0 4 * * *"}
    ci: {features: {leakage: {max_single_feature_score: 0.9}}}
"""


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Reads the declaration, with more of it, in an environment."""

    def read(environment: str, more: str = STRICTER) -> SystemSpec:
        path = tmp_path / "systems" / "tiny" / "defs.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT + more)
        monkeypatch.setenv("MLOPS_ENV", environment)
        return read_declaration(path)

    return read


def test_what_differs_is_merged_and_a_list_takes_the_place_of_a_list(declared):
    here, prod = declared("local"), declared("prod")
    assert [gate.name for gate in here.evaluation.gates] == ["accuracy_at_least"]
    assert [gate.bound for gate in prod.evaluation.gates] == [0.9, 0.8]
    assert (here.evaluation.confidence, prod.evaluation.confidence) == (0.95, 0.99)
    assert (prod.resources.cpu, prod.automation.train) == (2, "0 4 * * *")
    assert prod.evaluation.resamples == here.evaluation.resamples, "what is not named is as at the top"
    assert (here.environment, prod.environment) == ("local", "prod")
    assert declared("prod", "").environment == "prod"


def test_the_environment_and_its_values_are_terms_and_lead_to_a_new_evaluation(declared):
    here, prod = declared("local"), declared("prod")
    told = differences(declared_terms(here), declared_terms(prod))
    assert told[0] == 'environment was "local", is "prod"'
    assert "evaluation.gates.accuracy_at_least.at_least was 0.7, is 0.9" in told
    assert not [key for key in told if key.startswith(("features", "dataset", "model", "code"))]
    assert declaration_digest(here) != declaration_digest(prod)
    assert here.digest("dataset", "features", "model") == prod.digest("dataset", "features", "model")


def test_what_asks_for_less_than_elsewhere_is_named(declared):
    looser = [f"{gate.gate} ({gate.environment})" for gate in looser_than_elsewhere(declared("local"))]
    assert looser == [
        "features.leakage.max_single_feature_score (ci)",
        "accuracy_at_least (prod)",
        "balanced_accuracy_at_least (prod)",
        "evaluation.confidence (prod)",
    ]
    assert [gate.environment for gate in looser_than_elsewhere(declared("prod"))] == ["ci"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            "  environments: {live: {}}\n",
            r"defs\.yaml:10: environments\.live: 'live' is not an environment",
        ),
        (
            "  environments: {prod: 3}\n",
            r"defs\.yaml:10: environments\.prod: is a mapping of what differs.*got 3",
        ),
        (
            "  environments:\n    prod:\n      name: other\n",
            r"defs\.yaml:12: environments\.prod\.name: is the same in every environment",
        ),
        (
            "  environments:\n    prod:\n      dataset: {target: x}\n",
            r"defs\.yaml:12: environments\.prod\.dataset\.target: is the same in every",
        ),
        (
            "  environments:\n    prod:\n      evaluation:\n        confidence: high\n",
            r"defs\.yaml:13: environments\.prod\.evaluation\.confidence: .*got 'high'",
        ),
        (
            "  environments:\n    prod:\n      evaluation: {gates: [{metric: f9, at_least: 1}]}\n",
            r"defs\.yaml:12: environments\.prod\.evaluation\.gates\[0\]\.metric: ",
        ),
        ("  environments:\n    staging: {evalation: {}}\n", r"environments\.staging\.evalation: "),
    ],
)
def test_a_mistake_in_any_environment_is_refused_in_every_one_with_its_line(declared, more: str, told: str):
    for environment in ("local", "prod"):
        with pytest.raises(SpecError, match=told):
            declared(environment, more)


def test_a_mistake_of_the_top_keeps_its_place_in_an_environment():
    declared = {"evaluation": {"confidence": 2}, "environments": {"prod": {"evaluation": {"resamples": 9}}}}
    assert place_of(("evaluation", "confidence"), declared, "prod") == ("evaluation", "confidence")
    assert place_of(("evaluation", "resamples"), declared, "prod") == (
        "environments",
        "prod",
        "evaluation",
        "resamples",
    )


def test_doctor_prints_what_holds_here_and_what_asks_for_less(declared, monkeypatch: pytest.MonkeyPatch):
    place = declared("local").place
    assert place
    monkeypatch.setenv("MLOPS_SYSTEMS", json.dumps([str(place.parents[1])]))

    def told(environment: str) -> str:
        declared(environment)
        return {finding.subject: finding.message for finding in examine_declarations(Settings())}["tiny"]

    assert "In prod: evaluation.gates: [" in told("prod") and "evaluation.confidence: 0.99" in told("prod")
    assert "resources.cpu: 2; automation.train: 0 4 * * *" in told("prod")
    assert "In local: as everywhere. Less is asked than elsewhere: " in told("local")
    assert "accuracy_at_least: at least 0.7" in told("local")
