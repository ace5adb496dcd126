"""Terms: everything that the verdicts on a model depend on beside the model and its rows."""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.engineering_code import engineering_digest
from mlops_assets.model.environment import release

Terms = dict[str, Any]
"""JSON values by key, as the declaration nests them."""
DEFINITIONS = ("metrics", "evaluation/diagnoses", "evaluation/gates.py", "evaluation/gate_evidence.py")
"""Where the platform itself defines what metrics, diagnoses and gates are."""


def declared_terms(spec: SystemSpec) -> Terms:
    """The terms that ``spec`` declares in its environment: contract, features, model, gates, and the code of each.

    Example:
        >>> from mlops_assets.declaration.reading import SHIPPED, find_system
        >>> terms = declared_terms(find_system("wine_quality", [SHIPPED]))
        >>> terms["evaluation"]["gates"]["accuracy_at_least"]["at_least"], terms["evaluation"]["confidence"]
        (0.8, 0.95)
    """
    parts = spec.model_dump(mode="json", include={"task", "dataset", "features", "model", "evaluation"})
    parts["dataset"] |= {"columns": {name: _contract(column) for name, column in parts["dataset"]["columns"].items()}}
    del parts["dataset"]["sample"]
    parts["evaluation"]["gates"] = {
        gate.name: gate.model_dump(mode="json", exclude_none=True) for gate in spec.evaluation.gates
    }
    code = {"engineer": engineering_digest(spec), "definitions": definitions_digest(), "release": release()}
    return json.loads(json.dumps({"environment": spec.environment, **parts, "code": code}))


def terms_digest(terms: Terms) -> str:
    """SHA-256 of ``terms`` as canonical JSON; empty for a report that states none."""
    return hashlib.sha256(json.dumps(terms, sort_keys=True).encode()).hexdigest() if terms else ""


def differences(then: Terms, now: Terms) -> list[str]:
    """Every key whose value is another one, with both values.

    Example:
        >>> differences({"evaluation": {"confidence": 0.8}}, {"evaluation": {"confidence": 0.95}})
        ['evaluation.confidence was 0.8, is 0.95']
    """
    return list(_differences(then, now, ""))


def _differences(then: Terms, now: Terms, above: str) -> Iterator[str]:
    for name in {**then, **now}:
        key, old, new = f"{above}{name}", then.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _differences(old, new, f"{key}.")
        elif old != new:
            yield f"{key} was {_value(old)}, is {_value(new)}"


def _value(value: Any) -> str:
    return "declared" if isinstance(value, dict) else shown(value)


def leaves(terms: Terms, above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no mapping, under its keys joined by dots."""
    for key, value in terms.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


@cache
def definitions_digest() -> str:
    """SHA-256 of the platform's own sources that define metrics, diagnoses and gates."""
    package = Path(__file__).parents[1]
    files = [file for place in DEFINITIONS for file in _sources(package / place)]
    named = "".join(
        f"{file.relative_to(package).as_posix()} {hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in files
    )
    return hashlib.sha256(named.encode()).hexdigest()


def _sources(place: Path) -> list[Path]:
    return sorted(place.glob("*.py")) if place.is_dir() else [place]


def _contract(column: Terms) -> Terms:
    """Without what is said for people."""
    return {key: value for key, value in column.items() if key not in ("description", "unit")}


def shown(value: Any) -> str:
    """A value for a sentence."""
    text = "not declared" if value is None else json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
