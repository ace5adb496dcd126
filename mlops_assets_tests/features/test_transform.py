"""From raw rows to model inputs: the same in training and in serving."""

import importlib
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mlops_assets.errors import SpecError
from mlops_assets.features.engineering_code import engineering_digest
from mlops_assets.features.transform import feature_kinds, require_row_wise, transform

ENGINEERED = "mlops_assets_tests.features.engineered"


@pytest.fixture
def raw() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {"a": rng.uniform(size=80), "b": rng.uniform(size=80), "colour": ["red", "green"] * 40, "y": [0, 1] * 40}
    )


@pytest.fixture
def engineer_with(declare, raw):
    """Declares the system with one of the engineering functions."""
    return lambda name, **features: declare(raw, "y", features={"engineer": f"{ENGINEERED}:{name}", **features})


def test_dtypes_are_float64_and_text_without_gaps(declare):
    frame = pl.DataFrame(
        {
            "n": [1.5, None, float("inf")],
            "i": [1, None, 3],
            "s": ["x", None, ""],
            "f": [True, None, False],
            "code": [1, 22, None],
            "share": [0.5, 2.0, None],
            "y": [0, 1, 0],
        }
    )
    spec = declare(frame, "y", features={"categorical": ["code", "share"]})
    made = transform(frame.to_pandas(), spec)
    assert made.dtypes.map(str).to_dict() == {
        "n": "float64",
        "i": "float64",
        **dict.fromkeys(["s", "f", "code", "share"], "object"),
    }
    assert made["n"].tolist()[::2] == [1.5, np.inf]
    assert made[["n", "i"]].isna().sum().tolist() == [1, 1]
    assert made["s"].tolist() == ["x", "missing", ""]
    assert made["f"].tolist() == ["true", "missing", "false"]
    assert made["code"].tolist() == ["1", "22", "missing"]
    assert made["share"].tolist() == ["0.5", "2", "missing"]
    assert [column.kind for column in feature_kinds(made)] == ["numeric"] * 2 + ["categorical"] * 4


def test_categories_pass_through_scikit_learn_and_onnx(declare):
    import onnxruntime
    from skl2onnx import to_onnx
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pl.DataFrame({"s": ["x", None, "z", "x"] * 5, "flag": [True, False, None, True] * 5, "y": [0, 1, 1, 0] * 5})
    rows = transform(frame.to_pandas(), declare(frame, "y"))
    steps = (SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    model = make_pipeline(*steps).fit(rows, frame["y"].to_numpy())
    onnx: Any = to_onnx(model[1:], rows[:1])
    session = onnxruntime.InferenceSession(onnx.SerializeToString())
    labels: Any = session.run(None, {name: rows[[name]].to_numpy() for name in rows})[0]
    assert labels.tolist() == frame["y"].to_list()


def test_a_column_that_is_all_empty_keeps_its_declared_kind(declare):
    frame = pl.DataFrame({"s": ["x", "y"], "n": [1.0, 2.0], "y": [0, 1]})
    made = transform(pd.DataFrame({"s": [None, None], "n": [None, None]}), declare(frame, "y"))
    assert made["s"].tolist() == ["missing", "missing"]
    assert made["n"].dtype == "float64"


def test_serving_one_row_gives_what_training_gave(engineer_with, raw):
    spec, rows = engineer_with("ratios"), raw.to_pandas()
    trained = transform(rows, spec)
    columns = feature_kinds(trained)
    for index in (0, 7):
        given = pd.DataFrame([rows.loc[index, ["colour", "b", "a"]].to_dict()], index=pd.Index([index]))
        pd.testing.assert_frame_equal(transform(given, spec, columns), trained.loc[[index]])


def test_engineered_kinds_follow_dtypes(engineer_with, raw):
    made = transform(raw.to_pandas(), engineer_with("mixed_dtypes"))
    kinds = {column.name: column.kind for column in feature_kinds(made)}
    numeric, categorical = ["small", "whole", "boxed"], ["flag", "level", "text"]
    assert kinds == dict.fromkeys(numeric, "numeric") | dict.fromkeys(categorical, "categorical")
    assert made["flag"].tolist()[:2] == ["missing", "true"]
    assert np.isnan(made["whole"][0])


def test_a_date_is_refused_unless_engineered(declare):
    frame = pl.DataFrame({"day": [date(2024, 3, 1), date(2024, 5, 2)], "y": [0, 1]})
    with pytest.raises(SpecError, match=r"'day' holds datetime64.*features.engineer.*features.exclude"):
        transform(frame.to_pandas(), declare(frame, "y"))
    made = transform(frame.to_pandas(), declare(frame, "y", features={"engineer": f"{ENGINEERED}:months"}))
    assert made["month"].tolist() == [3.0, 5.0]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("drops_rows", "returned .* rows for 80; it must keep every row"),
        ("resets_index", "returned another index"),
        ("returns_array", "returned ndarray; a pandas DataFrame"),
        ("reserved_names", r"returned columns \['_a', '@b'\]"),
        ("repeated_names", r"returned columns \['a'\] more than once"),
        ("no_columns", "returned no columns"),
        ("keeps_dates", "'when' holds datetime64"),
        ("lists", "feature 'pairs' holds mixed"),
    ],
)
def test_a_result_that_is_no_feature_frame_is_refused(engineer_with, raw, function, message):
    with pytest.raises(SpecError, match=message):
        transform(raw.to_pandas(), engineer_with(function))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("centred", r"not row-wise: \['centred'\] differ.*model.transformer"),
        ("random", r"not row-wise: \['random'\]"),
        ("previous", r"not row-wise: \['previous'\]"),
        ("needs_many", "fails on 1 of the rows|not row-wise"),
        ("touches_input", r"changes its input \(columns \['double'\] came or went\)"),
        ("overwrites_input", r"changes its input \(columns \['a'\] differ\)"),
    ],
)
def test_an_impure_function_is_refused(engineer_with, raw, function, message):
    spec, rows = engineer_with(function), raw.to_pandas()
    features = transform(rows, spec)
    with pytest.raises(SpecError, match=message):
        require_row_wise(rows, features, spec)


def test_a_pure_function_passes_and_never_sees_the_callers_frame(engineer_with, raw):
    rows = raw.to_pandas()
    require_row_wise(rows, transform(rows, engineer_with("ratios")), engineer_with("ratios"))
    transform(rows, engineer_with("overwrites_input"))
    assert rows.equals(raw.to_pandas())


@pytest.mark.parametrize("features", [{"categorical": ["nope"]}, {"leakage": {"allow": ["nope"]}}])
def test_naming_an_unknown_feature_is_refused(declare, raw, features):
    with pytest.raises(SpecError, match=r"names \['nope'\]. Features: a, b, colour"):
        transform(raw.to_pandas(), declare(raw, "y", features=features))


def test_lacking_columns_are_named(declare, raw):
    with pytest.raises(SpecError, match=r"lack \['a', 'b'\]. Needed: a, b, colour"):
        transform(raw.to_pandas()[["colour"]], declare(raw, "y"))


def test_a_value_of_another_type_is_named(declare, raw):
    with pytest.raises(SpecError, match="column 'a' is declared float but holds other values"):
        transform(pd.DataFrame({"a": ["much"], "b": [1.0], "colour": ["red"]}), declare(raw, "y"))


def test_changed_code_changes_the_engineering_digest(declare, raw, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "my_features_module.py"
    digests = []
    for body in ("return rows[['a']]", "return rows[['b']]"):
        file.write_text(f"def make(rows):\n    {body}\n")
        importlib.invalidate_caches()
        digests.append(engineering_digest(declare(raw, "y", features={"engineer": "my_features_module:make"})))
    assert digests[0] != digests[1]
    assert engineering_digest(declare(raw, "y")) == ""


def test_a_function_without_a_source_file_is_refused(declare, raw):
    with pytest.raises(SpecError, match="'builtins:len' has no source file"):
        engineering_digest(declare(raw, "y", features={"engineer": "builtins:len"}))
