"""Rows measured twice, with nothing declared: named where they are, and not where rows are merely many."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from mlops_assets.features.leakage.suspected_duplicates import no_suspected_duplicates
from mlops_assets.verdict import Verdict
from mlops_assets_tests.features.conftest import Declare
from mlops_assets_tests.features.leakage.honest_tables import Table, assembled, libraries, shared

SHAPES = [
    (4, 500, 0.01),
    (5, 1000, 0.02),
    (6, 500, 0.02),
    (6, 5000, 0.015),
    (8, 1000, 0.02),
    (10, 300, 0.01),
    (20, 1000, 0.02),
]
"""Numeric features, rows, and the noise of the second measurement in standard deviations."""


def judged(declare: Declare, table: Table) -> Verdict:
    made = assembled(declare, table)
    return no_suspected_duplicates(made.features, made.parts, made.ids.unit, made.rows)


def measured(seed: int, width: int, rows: int, noise: float, share: float = 0.05) -> Table:
    """Correlated numbers and, in every other table, a category; ``share`` of the rows measured again."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, width)) @ (np.eye(width) + 0.3 * rng.normal(size=(width, width)))
    frame = pd.DataFrame({f"x{i}": column for i, column in enumerate(values.T)})
    frame["y"] = values[:, 0] + rng.normal(size=rows)
    if seed % 2:
        frame["kind"] = rng.choice(list("abc"), rows)
    return Table(again(frame, "y", noise, share, rng), "y")


def again(frame: pd.DataFrame, target: str, noise: float, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """With ``share`` of the rows once more, every number but the target with ``noise``."""
    twins = frame.sample(frac=share, random_state=int(rng.integers(1 << 30)))
    numbers = [name for name in frame.select_dtypes("number") if name != target and frame[name].nunique() > 2]
    spread = frame[numbers].to_numpy(float).std(axis=0)
    twins = twins.assign(**(twins[numbers] + noise * spread * rng.normal(size=(len(twins), len(numbers)))))
    whole = pd.concat([frame.astype(dict.fromkeys(numbers, float)), twins])
    return whole.sample(frac=1, random_state=0, ignore_index=True)


def test_rows_measured_twice_are_named(declare):
    verdicts = [judged(declare, measured(seed, *shape)) for seed in range(3) for shape in SHAPES]
    assert sum(verdict.outcome == "failed" for verdict in verdicts) >= 0.95 * len(verdicts)


@pytest.mark.soak("rates")
def test_rows_measured_twice_are_named_in_nearly_every_table(declare, record_property):
    verdicts = [judged(declare, measured(seed, *shape)) for seed in range(3, 43) for shape in SHAPES]
    share = sum(verdict.outcome == "failed" for verdict in verdicts) / len(verdicts)
    record_property("named", f"{share:.3f} of {len(verdicts)} tables")
    assert share >= 0.95


@pytest.mark.soak("rates")
def test_rows_measured_once_are_hardly_ever_named(declare, record_property):
    verdicts = [judged(declare, measured(seed, *shape[:2], 0.02, share=0)) for seed in range(40) for shape in SHAPES]
    share = sum(verdict.outcome == "failed" for verdict in verdicts) / len(verdicts)
    record_property("named", f"{share:.3f} of {len(verdicts)} tables")
    assert share <= 0.01


def test_honest_tables_have_hardly_any(declare, shared_data):
    tables = [*libraries(), *shared(shared_data)]
    named = [name for name, table in tables if judged(declare, table).outcome != "passed"]
    assert len(tables) >= 34
    assert len(named) <= 2, named


@pytest.mark.parametrize("name", ["wine", "breast_cancer", "diabetes", "digits", "star98"])
def test_rows_of_real_tables_measured_twice_are_named(declare, name):
    table = dict(libraries())[name]
    rows = again(table.rows, table.target, 0.015, 0.05, np.random.default_rng(1))
    assert judged(declare, table._replace(rows=rows)).outcome == "failed"


def test_a_slice_of_a_large_table_shows_them(declare):
    verdict = judged(declare, measured(1, 8, 40_000, 0.015))
    assert verdict.outcome == "failed"
    assert verdict.rows == 4_000
    assert "4,000 rows looked at" in verdict.reason


def test_a_pair_is_shown_with_both_rows_and_the_tolerance_that_blocks(declare):
    table = measured(2, 8, 1000, 0.015)
    verdict = judged(declare, table)
    assert (verdict.name, verdict.severity, verdict.blocks) == ("no_near_duplicates", "warn", False)
    assert 40 <= verdict.details["pairs"] <= 50
    assert 15 <= (verdict.value or 0) <= verdict.details["pairs"]
    assert verdict.details["by_chance"] == 0
    assert 0.01 < verdict.details["tolerance"] < 0.06
    for example in verdict.details["examples"]:
        first, second = (table.rows.iloc[address["row"]] for address in (example, example["twin"]))
        assert example["part"] != example["twin"]["part"]
        assert first["x0"] == pytest.approx(second["x0"], abs=0.06 * table.rows["x0"].std())


def test_twins_that_stay_together_are_no_leak(declare):
    table = measured(2, 8, 1000, 0.015)
    made = assembled(declare, table)
    parts = np.full(len(made.parts), "train")
    verdict = no_suspected_duplicates(made.features, parts, made.ids.unit, made.rows)
    assert verdict.passed
    assert verdict.details["pairs"] > 40
    nothing = no_suspected_duplicates(made.features.iloc[:5], parts[:5], made.ids.unit[:5], made.rows[:5])
    assert nothing.passed


def test_features_without_numbers_have_none():
    features = pd.DataFrame({"kind": np.array(list("ab") * 50, dtype=object)})
    rows = pl.DataFrame({"_batch": ["b"] * 100, "_row": range(100)})
    parts = np.where(np.arange(100) < 70, "train", "test")
    assert no_suspected_duplicates(features, parts, np.arange(100), rows).passed
