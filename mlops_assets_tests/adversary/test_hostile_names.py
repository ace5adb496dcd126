"""Names and declarations that nobody would write: no name stops the code location, no bad system stops the others."""

import json
import re
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.remote_representation.external_data import RepositorySnap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.declaration.reading import COMPONENT, find_system
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.definitions import defs
from mlops_assets.errors import SpecError
from mlops_assets.evaluation.check_name import LONGEST
from mlops_assets_tests.declaration.test_reading import MINIMAL

SAFE = re.compile(r"^[A-Za-z0-9_]+$")
HOSTILE = [
    "age group",
    "größe",
    "a/b",
    "x'; --",
    "",
    '%*"',
    "a\nb",
    "..",
    "name",
    "\u202e",
    "😀",
    "a" * 5000,
    "{{x}}",
    "$A",
]
hostile = st.sampled_from(HOSTILE) | st.text(max_size=12)


def with_gates(columns: list[str], *gates: dict[str, Any]) -> SystemSpec:
    declared = {**{key: {"type": "string"} for key in columns}, "y": {"type": "boolean"}, "x": {"type": "float"}}
    return SystemSpec.model_validate(
        {
            "name": "s",
            "task": "classification",
            "dataset": {"target": "y", "columns": declared},
            "evaluation": {"gates": list(gates)},
        }
    )


def sliced(column: str, equals: object) -> dict[str, Any]:
    return {"metric": "accuracy", "at_least": 0.5, "slice": {"column": column, "equals": equals}}


def names(spec: SystemSpec) -> list[str]:
    return [gate.name for gate in spec.evaluation.gates]


@pytest.mark.parametrize(
    ("column", "equals", "name"),
    [
        ("plan", "pro", "accuracy_at_least__plan_pro"),
        ("plan", "pro max", "accuracy_at_least__plan_pro_max"),
        ("plan", 0.5, "accuracy_at_least__plan_0_5"),
        ("plan", True, "accuracy_at_least__plan_True"),
    ],
)
def test_the_gate_of_an_ordinary_column_keeps_its_name(column: str, equals: object, name: str):
    assert names(with_gates([column], sliced(column, equals))) == [name]


def test_gates_that_would_share_a_name_are_told_apart_in_any_order():
    gates = [sliced("a", "b_c"), sliced("a_b", "c"), sliced("a b", "c"), sliced("a-b", "c")]
    gates += [sliced("a_b", 1), sliced("a_b", "1"), sliced("a_b", True), sliced("a_b", "True")]
    there, back = with_gates(["a", "a_b", "a b", "a-b"], *gates), with_gates(["a", "a_b", "a b", "a-b"], *gates[::-1])
    assert len(set(names(there))) == len(gates)
    assert names(there) == names(back)[::-1]
    assert SystemSpec.model_validate(there.model_dump()) == there


def test_a_gate_declared_twice_is_refused_whatever_its_column_is_called():
    with pytest.raises(ValueError, match="is declared twice"):
        with_gates(["age group"], sliced("age group", "x"), sliced("age group", "x"))


@given(st.lists(st.tuples(hostile, hostile), min_size=1, max_size=8, unique=True))
def test_no_column_or_value_makes_a_name_that_dagster_refuses(slices: list[tuple[str, str]]):
    slices = [(column.lstrip("_"), value) for column, value in slices]
    slices = [pair for pair in dict.fromkeys(slices) if pair[0] not in ("x", "y")]
    found = names(with_gates([column for column, _ in slices], *(sliced(*pair) for pair in slices)))
    assert all(SAFE.match(name) and len(name) <= LONGEST for name in found)
    assert len(set(found)) == len(found)


LEADING_OUT = ["../s", "s/../t", "/s", "s/t", "s\\t", "..%2fs", "%2e%2e%2fs", "%252e%252e%252fs", "s\x00", "s\n", "~s"]


@pytest.mark.parametrize("name", [*LEADING_OUT, "", ".", "..", "s" * 64, "S", "ß", "'; --"])
def test_no_name_of_a_system_leads_out_of_its_folder(name: str, tmp_path: Path):
    document = yaml.safe_load(MINIMAL)["attributes"] | {"name": name}
    with pytest.raises(ValueError, match="name"):
        SystemSpec.model_validate(document)
    with pytest.raises(SpecError, match="Declared systems: "):
        find_system(name, [tmp_path])


@given(st.text(alphabet=st.sampled_from("./\\%2eE5cfF~:\x00\n s"), max_size=12))
def test_a_name_that_is_taken_is_one_name_of_a_folder(name: str):
    try:
        SystemSpec.model_validate(yaml.safe_load(MINIMAL)["attributes"] | {"name": name})
    except ValueError:
        return
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name)


texts = hostile | st.sampled_from(["\ud800", "\x00", "team:", "a@b", "* * * * *", "0 0 31 2 *"])
scalars = texts | st.integers() | st.floats() | st.booleans() | st.none()
parts: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["one", "wine_quality", "a" * 63, "1", "con"]) | texts,
    "description": texts,
    "owners": st.lists(texts, max_size=2),
    "automation": st.fixed_dictionaries({}, optional={"train": texts, "ingest": texts, "on_new_data": scalars}),
    "resources": st.fixed_dictionaries({}, optional={"cpu": scalars, "memory": texts, "gpu": scalars}),
    "evaluation": st.fixed_dictionaries(
        {}, optional={"gates": st.lists(st.builds(sliced, texts, scalars), max_size=3), "protected": st.lists(texts)}
    ),
    "registry": scalars,
    "card": st.dictionaries(texts, scalars, max_size=2),
}
changes = st.fixed_dictionaries({}, optional=parts)
documents = st.tuples(changes, st.dictionaries(hostile, st.just({"type": "string"}), max_size=3))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(["one", "wine quality", "ü", "a.b", "dataset"]), documents), max_size=3),
    st.sampled_from(["staging", "prod"]),
)
def test_a_bad_system_never_stops_the_others(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, systems: list, env: str
):
    folder = tmp_path_factory.mktemp("systems")
    for number, (name, (change, columns)) in enumerate(systems):
        _write(folder / str(number) / name / "defs.yaml", _document(change, columns))
    _write(folder / "9" / "good" / "defs.yaml", MINIMAL.replace("name: tiny", "name: good"))
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))
    monkeypatch.setenv("MLOPS_ENV", env)
    monkeypatch.setenv("MLOPS_SYSTEMS", json.dumps(sorted(map(str, folder.iterdir()))))
    definitions = defs.load_fn()  # pyright: ignore[reportFunctionMemberAccess] what Dagster calls
    snapshot = dg.serialize_value(RepositorySnap.from_def(definitions.get_repository_def()))
    assert snapshot.encode()
    keys = {spec.key.to_user_string() for spec in definitions.resolve_all_asset_specs()}
    assert {"wine_quality/champion", "music_therapy/champion", "house_prices/champion", "good/champion"} <= keys
    others = {key.rpartition("/")[0] for key in keys} - {"wine_quality", "music_therapy", "house_prices", "good"}
    assert len(others) == len(systems), "every other system is there, whole or as a failing asset"


def test_a_bad_system_does_not_hide_another_from_a_command(tmp_path: Path):
    _write(tmp_path / "bad" / "defs.yaml", "[" * 100)
    _write(tmp_path / "folder" / "defs.yaml", MINIMAL.replace("name: tiny", "name: good"))
    assert find_system("good", [tmp_path]).name == "good"
    with pytest.raises(SpecError, match=r"Declared systems: good\nNot read: .*bad/defs.yaml"):
        find_system("other", [tmp_path])


def test_looking_at_each_system_by_itself_costs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("MLOPS_ENV", "prod")
    started = time.process_time()
    defs.load_fn()  # pyright: ignore[reportFunctionMemberAccess] what Dagster calls
    assert time.process_time() - started < 2


def _document(change: dict[str, Any], columns: dict[str, Any]) -> str:
    base = yaml.safe_load(MINIMAL)["attributes"]
    base["dataset"]["columns"] |= columns
    return yaml.safe_dump({"type": COMPONENT, "attributes": {**base, **change}}, allow_unicode=False)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
