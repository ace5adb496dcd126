"""Engineering functions, sound and unsound, that declarations in the tests point at."""

from typing import Any

import numpy as np
import pandas as pd


def ratios(rows: Any) -> Any:
    made = pd.DataFrame(index=rows.index)
    made["ratio"] = rows["a"] / rows["b"].clip(lower=0.05)
    made["high"] = rows["a"] > 0.5
    made["colour"] = rows["colour"]
    return made


def wild_ratio(rows: Any) -> Any:
    return pd.DataFrame({"ratio": rows["a"] / (rows["b"] + 1e-8), "a": rows["a"]})


def gaps(rows: Any) -> Any:
    return pd.DataFrame({"log": np.log(rows["a"].where(rows["a"] > 0.1)), "b": rows["b"]})


def infinite(rows: Any) -> Any:
    return pd.DataFrame({"inverse": 1 / rows["a"].round(0), "b": rows["b"]})


def centred(rows: Any) -> Any:
    return pd.DataFrame({"centred": rows["a"] - rows["a"].mean()})


def standardised(rows: Any) -> Any:
    from sklearn.preprocessing import StandardScaler

    numbers = rows[["area", "distance"]]
    return pd.DataFrame(StandardScaler().fit_transform(numbers), columns=numbers.columns, index=rows.index)


def random(rows: Any) -> Any:
    return pd.DataFrame({"random": np.random.default_rng().normal(size=len(rows))}, index=rows.index)


def previous(rows: Any) -> Any:
    return pd.DataFrame({"previous": rows["a"].shift(1)})


def needs_many(rows: Any) -> Any:
    quarters: Any = pd.qcut(rows["a"], 4, labels=False)
    return pd.DataFrame({"quarter": quarters.astype(float)})


def touches_input(rows: Any) -> Any:
    rows["double"] = rows["a"] * 2
    return rows[["double"]]


def overwrites_input(rows: Any) -> Any:
    rows["a"] = rows["a"] * 2
    return rows[["a"]]


def drops_rows(rows: Any) -> Any:
    return rows[rows["a"] > 0.5][["a"]]


def resets_index(rows: Any) -> Any:
    return rows[["a"]].sort_values("a")


def returns_array(rows: Any) -> Any:
    return rows.to_numpy()


def reserved_names(rows: Any) -> Any:
    return pd.DataFrame({"_a": rows["a"], "@b": rows["b"]})


def repeated_names(rows: Any) -> Any:
    return pd.concat([rows[["a"]], rows[["a"]]], axis=1)


def no_columns(rows: Any) -> Any:
    return pd.DataFrame(index=rows.index)


def keeps_dates(rows: Any) -> Any:
    return pd.DataFrame({"when": pd.to_datetime(rows["a"], unit="s")})


def lists(rows: Any) -> Any:
    return pd.DataFrame({"pairs": [[value] for value in rows["a"]]}, index=rows.index)


def target_itself(rows: Any) -> Any:
    return pd.DataFrame({"y": rows["a"]})


def months(rows: Any) -> Any:
    return pd.DataFrame({"month": rows["day"].dt.month.astype(float)})


def mixed_dtypes(rows: Any) -> Any:
    return pd.DataFrame(
        {
            "small": rows["a"].astype("float32"),
            "whole": pd.array([None, *range(1, len(rows))], dtype="Int64"),
            "boxed": pd.Series([1, 2.5, None, *range(3, len(rows))], dtype=object, index=rows.index),
            "flag": pd.array([None, *[True] * (len(rows) - 1)], dtype="boolean"),
            "level": pd.Categorical(["low"] * len(rows), categories=["low", "high"]),
            "text": pd.array(["x"] * len(rows), dtype="string"),
        },
        index=rows.index,
    )
