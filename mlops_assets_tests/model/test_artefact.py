import hashlib
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.errors import StorageError
from mlops_assets.metrics.outcomes import Predictions
from mlops_assets.model import artefact
from mlops_assets.model.prediction import predict
from mlops_assets_tests.model import conftest

FAMILIES = {
    "histogram boosting": (None, "text", {"max_iter": 10}),
    "histogram boosting, regression": (None, "number", {"max_iter": 10}),
    "forest": ("sklearn.ensemble.RandomForestClassifier", "integer", {"n_estimators": 5, "n_jobs": 2}),
    "extra trees": ("sklearn.ensemble.ExtraTreesRegressor", "number", {"n_estimators": 3}),
    "gradient boosting": ("sklearn.ensemble.GradientBoostingClassifier", "boolean", {"n_estimators": 5}),
    "logistic": ("sklearn.linear_model.LogisticRegression", "text", {}),
    "ridge": ("sklearn.linear_model.Ridge", "number", {}),
    "network": ("sklearn.neural_network.MLPClassifier", "text", {"hidden_layer_sizes": [5], "tol": 0.01}),
    "support vectors": ("sklearn.svm.SVC", "text", {}),
    "neighbours": ("sklearn.neighbors.KNeighborsClassifier", "text", {}),
    "xgboost, text labels": ("xgboost.XGBClassifier", "text", {"n_estimators": 5}),
    "xgboost": ("xgboost.XGBRegressor", "number", {"n_estimators": 5}),
    "lightgbm": ("lightgbm.LGBMClassifier", "text", {"n_estimators": 5}),
    "catboost": ("catboost.CatBoostClassifier", "text", {"iterations": 5}),
}

CHOSEN = {
    "sigmoid, forest": (
        "sklearn.ensemble.RandomForestClassifier",
        "integer",
        {"calibration": "sigmoid", "params": {"n_estimators": 5}},
    ),
    "temperature, histogram boosting": (
        None,
        "text",
        {"calibration": "temperature", "params": {"max_iter": 10, "learning_rate": 1.0}},
    ),
    "temperature, lightgbm": (
        "lightgbm.LGBMClassifier",
        "integer",
        {"calibration": "temperature", "params": {"n_estimators": 5}},
    ),
    "threshold, logistic": (
        "sklearn.linear_model.LogisticRegression",
        "boolean",
        {"threshold": {"maximise": "balanced_accuracy"}},
    ),
    "both, xgboost": (
        "xgboost.XGBClassifier",
        "boolean",
        {
            "params": {"n_estimators": 5},
            "calibration": "temperature",
            "threshold": {"cost": {"false_positive": 1, "false_negative": 5}},
        },
    ),
}
"""What is fitted on validation rows around an estimator."""


def pipelines():
    """A fitted pipeline of every kind that an artefact may hold, by name."""
    for name, (estimator, target, params) in FAMILIES.items():
        yield name, conftest._mixed(estimator, target, params=params).train().pipeline
    for name, (estimator, target, model) in CHOSEN.items():
        yield name, conftest._mixed(estimator, target, **model).train(conftest.held_out(target)).pipeline


ELSEWHERE = """
import json, sys
from pathlib import Path
from mlops_assets.model import artefact, onnx_copy
from mlops_assets_tests.model import test_artefact

digests = {}
for name, pipeline in test_artefact.pipelines():
    artefact.dump(pipeline, sys.argv[1])
    digests[name] = [artefact.digest(sys.argv[1])]
    try:
        digests[name].append(onnx_copy.export(pipeline, sys.argv[1]))
    except onnx_copy.CannotConvert:
        pass
Path(sys.argv[2]).write_text(json.dumps(digests))
"""


@pytest.fixture(scope="module")
def stored(mixed, tmp_path_factory):
    """A fitted pipeline, its file, its digest and its predictions."""
    case = mixed("sklearn.ensemble.RandomForestClassifier", params={"n_estimators": 5})
    pipeline = case.train().pipeline
    path = tmp_path_factory.mktemp("artefact") / "model.skops"
    artefact.dump(pipeline, path)
    return pipeline, path, artefact.digest(path), predict(pipeline, case.inputs), case.inputs


def rewrite(source: Path, target: Path, change) -> Path:
    """The same skops file with another schema."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "schema.json":
                schema = json.loads(data)
                change(schema)
                data = json.dumps(schema).encode()
            new.writestr(name, data)
    return target


def test_two_processes_that_train_on_equal_rows_make_equal_artefacts(tmp_path):
    processes = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": seed}
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            ELSEWHERE,
            f"{tmp_path}/{seed}.model",
            f"{tmp_path}/{seed}.json",
        ]
        processes.append(subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2]))
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    first, second = (json.loads((tmp_path / f"{seed}.json").read_text()) for seed in ("1", "2"))
    assert first == second
    assert len({digests[0] for digests in first.values()}) == len(FAMILIES) + len(CHOSEN)
    without_copy = [name for name, digests in first.items() if len(digests) == 1]
    assert without_copy == ["catboost", *CHOSEN]


def test_another_seed_makes_another_artefact(mixed, tmp_path):
    digests = set()
    for seed in (1, 2):
        case = mixed("sklearn.ensemble.RandomForestClassifier", params={"n_estimators": 3}, seed=seed)
        artefact.dump(case.train().pipeline, tmp_path / "model.skops")
        digests.add(artefact.digest(tmp_path / "model.skops"))
    assert len(digests) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_loaded_predicts_the_same_bits(mixed, unseen, tmp_path, family):
    estimator, target, params = FAMILIES[family]
    pipeline = mixed(estimator, target, params=params).train().pipeline
    path = tmp_path / "model.skops"
    artefact.dump(pipeline, path)
    artefact.verify(path, artefact.digest(path), unseen, predict(pipeline, unseen))


@pytest.mark.parametrize("kind", CHOSEN)
def test_what_validation_rows_decided_is_in_the_artefact_once(mixed, unseen, tmp_path, kind):
    estimator, target, model = CHOSEN[kind]
    plain = mixed(estimator, target, params=model.get("params", {})).train().pipeline
    pipeline = mixed(estimator, target, **model).train(conftest.held_out(target)).pipeline
    artefact.dump(plain, tmp_path / "plain.skops")
    artefact.dump(pipeline, tmp_path / "model.skops")
    digest = artefact.digest(tmp_path / "model.skops")
    artefact.verify(tmp_path / "model.skops", digest, unseen, predict(pipeline, unseen))
    assert digest != artefact.digest(tmp_path / "plain.skops")
    # Wrappers name what they wrap as parameter and as attribute; each copy would add the whole model again.
    assert (tmp_path / "model.skops").stat().st_size < 1.7 * (tmp_path / "plain.skops").stat().st_size + 60_000


def test_a_prediction_that_differs_in_the_last_bit_is_told(stored):
    import numpy as np

    _, path, digest, predictions, rows = stored
    nudged = predictions.probabilities.copy()
    nudged[0, 0] = np.nextafter(nudged[0, 0], 2)
    with pytest.raises(StorageError, match="its predicted probabilities are not the fitted ones"):
        artefact.verify(path, digest, rows, Predictions(predictions.values, nudged, predictions.classes))


def test_a_pipeline_with_a_declared_transformer_loads(plain, tmp_path):
    case = plain("sklearn.linear_model.LogisticRegression", transformer="sklearn.preprocessing.PolynomialFeatures")
    pipeline = case.train().pipeline
    artefact.dump(pipeline, tmp_path / "model.skops")
    digest = artefact.digest(tmp_path / "model.skops")
    artefact.verify(tmp_path / "model.skops", digest, case.inputs, predict(pipeline, case.inputs))


def test_another_content_is_refused_by_both_names(stored):
    _, path, digest, _, _ = stored
    with pytest.raises(StorageError, match=f"holds the artefact {digest}, not {'0' * 64}"):
        artefact.load(path, "0" * 64)


def test_zip_times_and_object_ids_do_not_change_the_digest(stored, tmp_path):
    _, path, digest, _, _ = stored

    def shift(state):
        if isinstance(state, dict):
            if isinstance(state.get("__id__"), int):
                state["__id__"] += 16
            for value in state.values():
                shift(value)
        elif isinstance(state, list):
            for value in state:
                shift(value)

    copy = rewrite(path, tmp_path / "copy.skops", shift)
    assert copy.read_bytes() != path.read_bytes()
    assert artefact.digest(copy) == digest


@pytest.mark.parametrize("member", ["array", "schema", "addition"])
def test_every_change_of_content_changes_the_digest(stored, tmp_path, member):
    _, path, digest, _, _ = stored
    copy = tmp_path / "copy.skops"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        heads = {name: old.read(name)[:128] for name in old.namelist() if name.endswith(".npy")}
        arrays = [name for name, head in heads.items() if b"[(" not in head and b"(0,)" not in head]
        for name in old.namelist():
            data = bytearray(old.read(name))
            if member == "array" and name == arrays[0]:
                data[-1] ^= 1
            if member == "schema" and name == "schema.json":
                data = data.replace(b'"content": "42"', b'"content": "43"')
            new.writestr(name, bytes(data))
        if member == "addition":
            new.writestr("more.txt", "not asked for")
    assert artefact.digest(copy) != digest


@pytest.fixture(scope="module")
def small(mixed, tmp_path_factory):
    """The bytes of a small model, its digest, and a path to write changed ones to."""
    path = tmp_path_factory.mktemp("small") / "model.skops"
    artefact.dump(mixed("sklearn.linear_model.Ridge", "number").train().pipeline, path)
    return path.read_bytes(), artefact.digest(path), path


@settings(max_examples=150, deadline=None, derandomize=True)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_damaged_byte_is_told_or_without_effect(small, unseen, place, flip):
    data, digest, path = small
    damaged = bytearray(data)
    damaged[int(place * len(data))] ^= flip
    path.write_bytes(damaged)
    try:
        loaded = artefact.load(path, digest)
    except StorageError:
        return
    path.write_bytes(data)
    assert (loaded.predict(unseen) == artefact.load(path, digest).predict(unseen)).all()


def dumped(value, path: Path) -> str:
    import skops.io

    skops.io.dump(value, path)
    return artefact.digest(path)


def test_chance_bytes_between_the_fields_of_a_record_do_not_count(tmp_path):
    import numpy as np

    kind = np.dtype([("leaf", "u1"), ("value", "f8")], align=True)
    digests = []
    for chance, value in ((0, 1.0), (255, 1.0), (0, 2.0)):
        records = np.frombuffer(bytes([chance]) * kind.itemsize * 3, dtype=kind).copy()
        records["leaf"], records["value"] = 1, value
        digests.append(dumped(records, tmp_path / "model.skops"))
    assert digests[0] == digests[1] != digests[2]


def test_the_order_of_a_set_does_not_count_but_that_of_a_list_does(tmp_path):
    def turn(schema):
        schema["content"] = schema["content"][::-1]

    path = tmp_path / "model.skops"
    for value, same in (({"a", "b", "c"}, True), (["a", "b", "c"], False)):
        digest = dumped(value, path)
        assert (artefact.digest(rewrite(path, tmp_path / "copy.skops", turn)) == digest) is same


def test_whether_equal_texts_are_one_object_does_not_count(tmp_path):
    """Texts read from a declaration are other objects than those in the code, from process to process."""
    one, other = "".join(["gi", "ni"]), "".join(["gi", "ni"])
    assert one is not other
    digests = {dumped(value, tmp_path / "model.skops") for value in ([one, one], [one, other])}
    assert len(digests) == 1


def test_a_state_hidden_behind_the_id_of_another_is_refused(stored, tmp_path):
    """skops reads the first state of an id and ignores the others: a digest of all of them would prove nothing."""
    _, path, _, _, _ = stored

    def hide(schema):
        steps = schema["content"]["content"]["steps"]
        steps["__id__"] = schema["content"]["__id__"]

    with pytest.raises(StorageError, match="two different states have the id"):
        artefact.digest(rewrite(path, tmp_path / "copy.skops", hide))


def poison(node: dict) -> "bytes":
    """A skops file whose root is ``node``."""
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", json.dumps({**node, "protocol": 2, "_skops_version": "0.16"}))
    return buffer.getvalue()


def text(value: str) -> dict:
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": json.dumps(value)}


def call(module: str, name: str, argument: str) -> dict:
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": "ConstructorFromReduceNode",
        "content": {
            "__class__": "tuple",
            "__module__": "builtins",
            "__loader__": "TupleNode",
            "content": [text(argument)],
        },
    }


@pytest.mark.parametrize(("module", "name"), [("os", "system"), ("builtins", "eval"), ("subprocess", "Popen")])
def test_a_foreign_type_does_not_load_and_does_nothing(tmp_path, module, name):
    path, mark = tmp_path / "model.skops", tmp_path / "mark"
    command = f"open({str(mark)!r}, 'w')" if name == "eval" else f"/usr/bin/touch {mark}"
    path.write_bytes(poison(call(module, name, command)))
    with pytest.raises(StorageError, match=f"types that are not trusted: {module}.{name}"):
        artefact.load(path, artefact.digest(path))
    assert not mark.exists()


def test_the_poison_would_have_worked_where_types_are_trusted(tmp_path):
    """Without this the test above could pass for a file that is merely broken."""
    import skops.io

    mark = tmp_path / "mark"
    skops.io.loads(poison(call("builtins", "eval", f"open({str(mark)!r}, 'w').close()")), trusted=["builtins.eval"])
    assert mark.exists()


class Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self):
        return (open, (self.mark, "w"))


def test_a_pickle_under_the_name_of_a_model_does_not_load_and_does_nothing(tmp_path):
    path, mark = tmp_path / "model.skops", tmp_path / "mark"
    path.write_bytes(pickle.dumps(Payload(mark)))
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(StorageError, match="is not a skops file"):
        artefact.load(path, expected)
    assert not mark.exists()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 torn", poison({"__loader__": "JsonNode"})[:-30]])
def test_a_torn_file_is_told(tmp_path, data):
    path = tmp_path / "model.skops"
    path.write_bytes(data)
    with pytest.raises(StorageError, match="is not a skops file"):
        artefact.digest(path)


def test_trusted_types_are_those_of_pipeline_and_file(stored):
    pipeline, path, _, _, _ = stored
    assert (
        artefact.trusted_types(path) == artefact.trusted_types(pipeline) == ["numpy.dtype", "sklearn.tree._tree.Tree"]
    )


def test_a_type_beyond_the_list_loads_only_where_it_is_declared(tmp_path):
    from fractions import Fraction

    import skops.io

    path = tmp_path / "model.skops"
    skops.io.dump({"half": Fraction(1, 2)}, path)
    with pytest.raises(StorageError, match=r"not trusted: fractions\.Fraction\. Remedy: .* declare"):
        artefact.load(path, artefact.digest(path))
    loaded = artefact.load(path, artefact.digest(path), declared=["fractions.Fraction"])
    assert loaded == {"half": Fraction(1, 2)}
