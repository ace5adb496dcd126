"""Transform: the one way from raw rows to model inputs, in training and in serving.

Numeric features are float64, NaN where empty. Categorical features are ``object`` columns of ``str`` without
gaps: an empty cell is the category ``"missing"``, truth is ``"true"`` / ``"false"``, whole numbers have no
decimal point. That is what OneHotEncoder, OrdinalEncoder, SimpleImputer and ONNX string tensors all take;
None or NaN among strings is refused by at least one of them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_assets.dataset.spec import ColumnSpec
from mlops_assets.declaration.base import one_of
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import SpecError
from mlops_assets.features.engineering import engineer, require_untouched_input
from mlops_assets.features.version import FeatureColumn, Kind

MISSING = "missing"
"""Category of an empty cell."""
SAMPLE = 500
"""Rows on which a function is called again to see whether it is row-wise."""

NUMBERS = frozenset({"integer", "floating", "mixed-integer-float", "decimal"})
CATEGORIES = frozenset({"string", "boolean", "empty"})


def transform(raw: pd.DataFrame, spec: SystemSpec, columns: Sequence[FeatureColumn] | None = None) -> pd.DataFrame:
    """Features of the rows in ``raw``, which holds at least ``spec.feature_columns()``.

    With ``columns``, those of the features version that a model was trained on, the result has exactly these
    features, kinds and order; that is what serving must give, since few rows do not show a column's kind.

    Raises:
        SpecError: if a column is missing, or is of a kind that no estimator takes.
    """
    made = engineer(as_declared(raw, spec), spec)
    if columns is None:
        columns = _columns_of(made, spec)
    given = dict(made.items())
    lacking = [column.name for column in columns if column.name not in given]
    if lacking:
        raise SpecError(f"features {lacking!r} are not among those made: {one_of(made.columns)}")
    values = {column.name: _as_kind(given[column.name], column) for column in columns}
    return pd.DataFrame(values, index=raw.index, copy=False)


def feature_kinds(features: pd.DataFrame) -> list[FeatureColumn]:
    """Name and kind of each column that ``transform`` returned."""
    return [
        FeatureColumn(name=str(name), kind="categorical" if values.dtype == object else "numeric")
        for name, values in features.items()
    ]


def as_declared(raw: pd.DataFrame, spec: SystemSpec) -> pd.DataFrame:
    """The raw feature columns with dtypes that follow from the declaration alone, never from the rows at hand.

    float and nullable integer: float64; integer: int64; boolean: bool, nullable: object; string: object;
    date and datetime: datetime64[us] in UTC without a zone.
    """
    names = spec.feature_columns()
    lacking = [name for name in names if name not in raw]
    if lacking:
        raise SpecError(f"the rows of {spec.name!r} lack {lacking!r}. Needed: {one_of(names)}")
    given = dict(raw[names].items())
    declared = {name: _as_declared(given[name], spec.dataset.columns[name]) for name in names}
    return pd.DataFrame(declared, index=raw.index, copy=False)


def require_row_wise(raw: pd.DataFrame, features: pd.DataFrame, spec: SystemSpec) -> None:
    """Raise SpecError unless the declared function is pure and gives each row the same features in any company.

    ``features`` are those of all rows in ``raw``; the function is called again on a shuffled sample and on one row.
    """
    if spec.features.engineer is None or raw.empty:
        return
    order = np.random.default_rng(0).permutation(len(raw))[:SAMPLE]
    require_untouched_input(as_declared(raw.iloc[order], spec), spec)
    columns = [
        FeatureColumn(name=n, kind="categorical" if features[n].dtype == object else "numeric") for n in features
    ]
    for chosen in (order, order[:1]):
        again = _again(raw.iloc[chosen], spec, columns)
        unlike = differing(features.iloc[chosen], again)
        if unlike:
            raise SpecError(
                f"features.engineer {spec.features.engineer!r} is not row-wise: {unlike!r} differ when it sees "
                f"{len(chosen)} of {len(raw)} rows. Remedy: use nothing but the row itself; what must be learned "
                "from other rows belongs in model.transformer."
            )


def differing(features: pd.DataFrame, others: pd.DataFrame) -> list[str]:
    """The features whose values are other ones in ``others``, which holds the same rows and names."""
    again = dict(others.items())
    return [str(name) for name, values in features.items() if not _same(values, again[name])]


def _again(raw: pd.DataFrame, spec: SystemSpec, columns: list[FeatureColumn]) -> pd.DataFrame:
    try:
        return transform(raw, spec, columns)
    except Exception as error:
        raise SpecError(
            f"features.engineer {spec.features.engineer!r} fails on {len(raw)} of the rows it managed together: "
            f"{type(error).__name__}: {error}"
        ) from error


def _same(left: pd.Series, right: pd.Series) -> bool:
    if left.dtype == object:
        return bool((left.to_numpy() == right.to_numpy()).all())
    # vectorised loops may round the last bits differently for another number of rows
    return np.allclose(left.to_numpy(), right.to_numpy(), rtol=1e-9, atol=1e-12, equal_nan=True)


def _as_declared(values: pd.Series, column: ColumnSpec) -> np.ndarray | pd.Series:
    try:
        if column.type == "float" or (column.type == "integer" and column.nullable):
            return values.to_numpy(dtype="float64", na_value=np.nan)
        if column.type == "integer":
            return values.to_numpy(dtype="int64")
        if column.type == "boolean" and not column.nullable:
            return values.to_numpy(dtype="bool")
        if column.type in ("date", "datetime"):
            return pd.to_datetime(values, utc=True).dt.tz_localize(None).astype("datetime64[us]")
    except (TypeError, ValueError) as error:
        raise SpecError(f"column {values.name!r} is declared {column.type} but holds other values: {error}") from error
    return values.astype(object)


def _columns_of(made: pd.DataFrame, spec: SystemSpec) -> list[FeatureColumn]:
    """Declared types decide for raw columns, dtypes for engineered ones."""
    unknown = [name for name in (*spec.features.categorical, *spec.features.leakage.allow) if name not in made]
    if unknown:
        raise SpecError(
            f"features.categorical or features.leakage.allow names {unknown!r}. Features: {one_of(made.columns)}"
        )
    return [FeatureColumn(name=str(name), kind=_kind(values, spec)) for name, values in made.items()]


def _kind(values: pd.Series, spec: SystemSpec) -> Kind:
    if values.name in spec.features.categorical:
        return "categorical"
    if spec.features.engineer is None and spec.dataset.columns[str(values.name)].type in ("string", "boolean"):
        return "categorical"
    return _kind_by_dtype(values)


def _kind_by_dtype(values: pd.Series) -> Kind:
    dtype = values.dtype
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype | pd.StringDtype):
        return "categorical"
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return "numeric"
    inferred = pd.api.types.infer_dtype(values, skipna=True) if dtype == np.dtype(object) else str(dtype)
    if inferred in NUMBERS | CATEGORIES:
        return "numeric" if inferred in NUMBERS else "categorical"
    raise SpecError(
        f"feature {values.name!r} holds {inferred}, which is neither number nor category. Remedy: make numbers or "
        "text of it in features.engineer, or leave it out with features.exclude."
    )


def _as_kind(values: pd.Series, column: FeatureColumn) -> np.ndarray:
    if column.kind == "numeric":
        return values.to_numpy(dtype="float64", na_value=np.nan)
    codes, distinct = pd.factorize(values)
    labels = np.array([*(_label(value, column) for value in distinct), MISSING], dtype=object)
    return labels[codes]  # an empty cell has code -1: the last label


def _label(value: object, column: FeatureColumn) -> str:
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, str | int | float | np.integer | np.floating):
        return str(value)
    raise SpecError(f"feature {column.name!r} holds {value!r}; a category is text, a number or a truth value")
