"""Drafts: what is guessed of a file, and that the declaration accepts the rows it came from."""

import gzip
from datetime import date, timedelta
from pathlib import Path

import fsspec
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.dataset.contract import Contract
from mlops_assets.dataset.reading.batch import read_batch
from mlops_assets.declaration.reading import SHIPPED, read_declaration
from mlops_assets.drafting import survey as survey_module
from mlops_assets.drafting.new_system import Beginning, begin
from mlops_assets.drafting.survey import survey
from mlops_assets.errors import BatchRejected, LandingError, SpecError

RNG = np.random.default_rng(7)
ROWS = 240


def begun(folder: Path, data: Path, target: str, task: str | None = None) -> Beginning:
    return begin("drafted", str(data), target, task, folder / "systems", [])  # pyright: ignore[reportArgumentType]


def drafted(folder: Path, frame: pl.DataFrame, target: str, task: str | None = None) -> Beginning:
    frame.write_csv(folder / "rows.csv")
    return begun(folder, folder / "rows.csv", target, task)


def roles(found: Beginning) -> dict[str, str]:
    return {column.name: column.role for column in found.draft.columns}


def why(found: Beginning, name: str) -> str:
    return next(column.why for column in found.draft.columns if column.name == name)


def rejected(spec, path: Path) -> int:
    """Rows of the file that the drafted contract does not accept."""
    fs, where = fsspec.core.url_to_fs(str(path))
    contract, seen, first, lost = Contract(spec.dataset), {}, 0, 0
    for chunk in read_batch(fs, where, spec.dataset).chunks:
        checked, seen = contract.check(chunk, first, seen)
        first, lost = first + chunk.height, lost + chunk.height - checked.accepted.height
    return lost


def table(**columns) -> pl.DataFrame:
    signal = RNG.normal(size=ROWS)
    base = {"signal": signal.round(4), "noise": RNG.normal(size=ROWS).round(4)}
    return pl.DataFrame({**base, **columns, "y": (3 * signal + RNG.normal(size=ROWS)).round(3)})


@pytest.mark.parametrize(
    ("file", "target", "task", "expected"),
    [
        ("wine_quality/winequality-red.csv", "quality", "classification", {"alcohol": "feature"}),
        (
            "credit_uci_default/UCI_Credit_Card.csv",
            "default.payment.next.month",
            "classification",
            {"ID": "key", "MARRIAGE": "feature"},
        ),
        ("spotify_moods/data_moods.csv", "mood", "classification", {"id": "key", "name": "excluded"}),
        ("king_county/kc_house_data.csv", "price", "regression", {"id": "group", "date": "excluded"}),
    ],
)
@pytest.mark.slow
def test_a_real_table_is_drafted_loads_and_accepts_every_row(
    tmp_path: Path, shared_data: Path, file: str, target: str, task: str, expected: dict[str, str]
):
    found = begun(tmp_path, shared_data / file, target)
    found.write()
    spec = read_declaration(found.path, among=[SHIPPED])
    assert (spec, spec.task, spec.dataset.target) == (found.draft.spec, task, target)
    assert {name: roles(found)[name] for name in expected} == expected
    assert not found.draft.rehearsal.accusations
    assert rejected(spec, shared_data / file) == 0


def test_identifiers_constants_text_and_dates_are_left_out_with_the_reason(tmp_path: Path):
    found = drafted(
        tmp_path,
        table(
            **{
                "Order ID": [f"A{i:04d}" for i in range(ROWS)],
                "serially": range(100, 100 + ROWS),
                "remark": [f"{i} said {i * 7919 % 1000}" for i in range(ROWS // 2)] * 2,
                "same": ["x"] * ROWS,
                "rarely": [1.5] + [None] * (ROWS - 1),
                "never": [None] * ROWS,
                "birth_date": [date(1970, 1, 1) + timedelta(days=int(d)) for d in RNG.integers(0, 9000, ROWS)],
                "plan": RNG.choice(["basic", "pro"], ROWS),
                "_row": range(ROWS),
            }
        ),
        "y",
    )
    assert roles(found) == {
        "signal": "feature",
        "noise": "feature",
        "Order ID": "key",
        "serially": "excluded",
        "remark": "excluded",
        "same": "excluded",
        "rarely": "excluded",
        "never": "undeclared",
        "birth_date": "excluded",
        "plan": "feature",
        "y": "target",
        "_row": "undeclared",
    }
    assert "names rows" in why(found, "serially")
    assert "120 distinct values in 240 rows" in why(found, "remark")
    assert "99.6%" in why(found, "rarely")
    assert found.draft.spec.dataset.columns["plan"].allowed == ["basic", "pro"]
    assert "# the one value 'x' in every row" in found.text


def test_a_copy_of_the_target_and_a_factor_of_it_are_left_out_with_the_number(tmp_path: Path):
    frame = table(copied=np.zeros(ROWS)).with_columns(copied=pl.col("y") * 2 + 1)
    found = drafted(tmp_path, frame, "y")
    assert roles(found)["copied"] == "excluded"
    assert "R² 1.0000" in why(found, "copied")

    size, rate = np.exp(RNG.normal(size=ROWS)), np.exp(RNG.normal(size=ROWS))
    frame = pl.DataFrame({"size": size, "price_per_size": rate, "other": RNG.normal(size=ROWS), "price": size * rate})
    found = drafted(tmp_path, frame, "price")
    assert [name for name, role in roles(found).items() if role == "excluded"] == ["price_per_size"]
    assert "size * price_per_size gives price" in why(found, "price_per_size")

    with pytest.raises(SpecError, match=r"no column is left to make features from. 'copied': suspected leak"):
        drafted(tmp_path, frame.select(pl.col("price"), copied=pl.col("price") * 2), "price")


def test_rows_of_one_customer_stay_together(tmp_path: Path):
    found = drafted(tmp_path, table(customer_id=RNG.integers(1000, 1080, ROWS)), "y")
    assert found.draft.spec.features.split.group == "customer_id"


def visits(people: int = 200) -> pl.DataFrame:
    """Ten visits of each person, whose measurements and illness are the person's own."""
    rng = np.random.default_rng(7)
    who = rng.permutation(np.repeat(np.arange(people), 10))
    own = rng.normal(size=(people, 3))[who] + 0.05 * rng.normal(size=(len(who), 3))
    columns = {f"m{i}": own[:, i].round(4) for i in range(3)}
    return pl.DataFrame({**columns, "who": [f"p{i:03d}" for i in who], "ill": rng.integers(0, 2, people)[who]})


def test_a_column_whose_values_make_rows_alike_is_the_group_and_the_draft_is_not_blocked(tmp_path):
    found = drafted(tmp_path, visits(), "ill")
    assert roles(found)["who"] == "group"
    assert "rows of one value are alike: 200 values of 10.0 rows" in why(found, "who")
    assert "group: who" in found.text
    assert found.draft.rehearsal.refusals == []


def test_a_second_such_column_is_drafted_ungrouped_with_a_remark(tmp_path):
    table = visits()
    rng = np.random.default_rng(8)
    device = rng.integers(0, 40, table.height)
    drift = pl.Series("m1", rng.normal(0, 3, 40)[device].round(3))
    table = table.with_columns(pl.Series("device_name", [f"d{i}" for i in device]), pl.col("m1") + drift)
    found = drafted(tmp_path, table, "ill")
    split = found.draft.spec.features.split
    assert {split.group, *split.ungrouped} == {"who", "device_name"}
    assert found.draft.rehearsal.refusals == []
    assert f"Rows of one {split.ungrouped[0]} are alike too" in found.text


def test_a_record_in_order_of_time_is_split_by_time_and_any_other_only_hears_of_it(tmp_path: Path):
    days = [date(2025, 1, 1) + timedelta(days=i) for i in range(ROWS)]
    assert drafted(tmp_path, table(sold_at=days), "y").draft.spec.features.split.time == "sold_at"
    found = drafted(tmp_path, table(sold_at=days[::2] + days[1::2]), "y")
    assert found.draft.spec.features.split.time is None
    assert "split by `time: sold_at`" in found.text


def test_ranges_leave_room_and_quantities_start_at_nought(tmp_path: Path):
    years = np.where(RNG.random(ROWS) < 0.5, 0, RNG.integers(1950, 2016, ROWS))
    frame = table(amount=RNG.uniform(0.5, 20, ROWS), year_renovated=years)
    columns = drafted(tmp_path, frame, "y").draft.spec.dataset.columns
    for name in ("amount", "signal", "noise"):
        seen = frame[name].to_numpy()
        low, high = columns[name].min, columns[name].max
        assert isinstance(low, float)
        assert isinstance(high, float)
        assert seen.max() + 0.4 * np.ptp(seen) < high < seen.max() + np.ptp(seen)
        assert low == 0 if name == "amount" else seen.min() - np.ptp(seen) < low < seen.min() - 0.4 * np.ptp(seen)
    assert (columns["year_renovated"].min, columns["year_renovated"].max) == (0, 2100)


@pytest.mark.parametrize(
    ("labels", "task", "metric", "positive"),
    [
        (["yes", "no"], "classification", "accuracy", True),
        ([1, 1, 1, 0], "classification", "roc_auc", 1),
        (["good"] * 15 + ["late"], "classification", "average_precision", "late"),
        (["a", "b", "c"], "classification", "accuracy", None),
        (["a"] * 8 + ["b", "c"], "classification", "balanced_accuracy", None),
        (list(range(12)), "regression", "mean_absolute_error", None),
    ],
)
def test_task_metric_and_positive_class_follow_from_the_target(
    tmp_path: Path, labels: list, task: str, metric: str, positive: object
):
    frame = table().with_columns(y=pl.Series([labels[i % len(labels)] for i in range(ROWS)]))
    spec = drafted(tmp_path, frame, "y").draft.spec
    assert (spec.task, spec.registry.metric, spec.evaluation.positive) == (task, metric, positive)
    assert spec.evaluation.gates[0].metric == metric


def test_a_skewed_positive_target_is_learned_as_logarithm_and_never_declared_down_to_nought(tmp_path: Path):
    frame = table().with_columns(y=pl.col("y").exp() + 0.5)
    spec = drafted(tmp_path, frame, "y").draft.spec
    assert spec.model.target_transform == "log"
    assert isinstance(spec.dataset.columns["y"].min, float)
    assert 0 < spec.dataset.columns["y"].min < 0.5


@pytest.mark.parametrize(
    ("target", "task", "told"),
    [
        ("Y_", None, "Did you mean 'y'"),
        ("empty", None, "every cell is empty"),
        ("same", None, "it is 'x' in all 240 rows"),
        ("day", None, "a date, which no task predicts"),
        ("name", None, "240 classes in 240 rows"),
        ("name", "regression", "no number to predict. Remedy: --task classification"),
        ("noise", "classification", "not whole, which are no classes. Remedy: --task regression"),
    ],
)
def test_an_impossible_target_is_refused_with_the_remedy(tmp_path: Path, target: str, task: str | None, told: str):
    days = [date(2025, 1, 1) + timedelta(days=i) for i in range(ROWS)]
    frame = table(empty=[None] * ROWS, same=["x"] * ROWS, day=days, name=[f"n{i}" for i in range(ROWS)])
    with pytest.raises(SpecError, match=told):
        drafted(tmp_path, frame, target, task)


def test_a_file_the_platform_cannot_read_rightly_is_refused(tmp_path: Path):
    with pytest.raises(LandingError, match="has 1 row in all"):
        drafted(tmp_path, table().head(1), "y")
    lines = "\n".join(f"{i % 5};{i},{i % 10};{i}" for i in range(60))
    (tmp_path / "excel.csv").write_text(f"a;Preis;y\n{lines}\n", encoding="utf-8")
    with pytest.raises(LandingError, match="commas in 'Preis', which are read as text"):
        begun(tmp_path, tmp_path / "excel.csv", "y")
    with pytest.raises(LandingError, match="is not a file"):
        begun(tmp_path, tmp_path / "absent.csv", "y")


def test_a_file_made_to_do_harm_is_refused_by_name_as_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deep = b'{"x": 1, "y": 1}\n{"x": ' + b"[" * 3000 + b"]" * 3000 + b"}\n"
    (tmp_path / "deep.jsonl").write_bytes(deep)
    with pytest.raises(BatchRejected, match="too_deep"):
        begun(tmp_path, tmp_path / "deep.jsonl", "y")
    monkeypatch.setenv("MLOPS_LANDING_LIMITS", '{"rows": 100}')
    table().write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(BatchRejected, match=r"too_many_rows.*MLOPS_LANDING_LIMITS"):
        begun(tmp_path, tmp_path / "rows.parquet", "y")


def test_formats_and_compressions_give_the_same_draft(tmp_path: Path):
    frame = table(plan=RNG.choice(["basic", "pro"], ROWS), left=RNG.random(ROWS) < 0.5)
    frame.write_csv(tmp_path / "rows.csv", separator=";")
    frame.write_parquet(tmp_path / "rows.parquet")
    with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
        file.write(frame.write_ndjson())
    found = [begun(tmp_path, tmp_path / name, "y").draft for name in ("rows.csv", "rows.parquet", "rows.jsonl.gz")]
    assert found[0].spec.dataset == found[1].spec.dataset == found[2].spec.dataset


def test_marks_for_an_empty_cell_among_numbers_are_declared(tmp_path: Path):
    frame = table(amount=["?" if i % 9 == 0 else str(i * 37 % 101) for i in range(ROWS)])
    found = drafted(tmp_path, frame, "y")
    column = found.draft.spec.dataset.columns["amount"]
    assert (column.type, column.nullable, "?" in found.draft.spec.dataset.format.null_values) == ("integer", True, True)
    assert rejected(found.draft.spec, tmp_path / "rows.csv") == 0


def test_every_row_is_counted_where_only_some_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(survey_module, "SAMPLE_CELLS", 100)
    monkeypatch.setattr(survey_module, "FEWEST_SAMPLED", 50)
    table(index=range(ROWS)).write_csv(tmp_path / "rows.csv")
    found = survey(tmp_path / "rows.csv")
    assert (found.rows, found.sample.height, found.sampled) == (ROWS, 30, True)
    assert found.sample["index"].to_list() == list(range(0, ROWS, 8))
    assert (found.columns["index"].low, found.columns["index"].high, found.columns["index"].unique) == (0, 239, True)


def test_nothing_is_overwritten_and_no_name_is_taken_twice(tmp_path: Path):
    table().write_csv(tmp_path / "rows.csv")
    folder, known = tmp_path / "systems", [SHIPPED]
    with pytest.raises(SpecError, match=r"'wine_quality' is declared already, in .*wine_quality"):
        begin("wine_quality", str(tmp_path / "rows.csv"), "y", None, folder, known)
    with pytest.raises(SpecError, match="'My-System' is no name of a system"):
        begin("My-System", str(tmp_path / "rows.csv"), "y", None, folder, known)
    found = begun(tmp_path, tmp_path / "rows.csv", "y")
    found.write()
    with pytest.raises(SpecError, match="exists, and nothing is overwritten"):
        begun(tmp_path, tmp_path / "rows.csv", "y")
    with pytest.raises(SpecError, match="exists, and nothing is overwritten"):
        found.write()


NAMES = st.sampled_from(
    ["a", "id", "Name of it", "yes", "null", "1e5", "ünï: #", "user_id", "date", "{x}", "Zip", "'q\"", "key", "[0]"]
)
CELLS = {
    "whole": st.integers(-1000, 1000),
    "number": st.floats(-1e6, 1e6),
    "text": st.sampled_from(["x", "yes", "no", "a b", "01", "?", " ", "é\u2028", "1e5"]),
    "date": st.dates(date(1990, 1, 1), date(2030, 1, 1)).map(str),
}


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """60 rows of one number that says something, and up to four columns of any kind."""
    columns: dict[str, list] = {}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        cells = CELLS[draw(st.sampled_from(sorted(CELLS)))]
        values = draw(st.lists(cells, min_size=1, max_size=8))
        empty = draw(st.sampled_from([0, 7, 61]))
        columns[name] = [None if empty and i % empty == 1 else values[i * i % len(values)] for i in range(60)]
    target = (
        [f"{'pn'[i * 7 % 5 > 2]}" for i in range(60)] if draw(st.booleans()) else [i * 37 % 61 / 4 for i in range(60)]
    )
    return pl.DataFrame({**columns, "m": [(i * 29 % 53) / 8 for i in range(60)], "target": target}, strict=False)


@pytest.mark.slow
@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], derandomize=True
)
@given(frames())
def test_any_table_drafts_a_declaration_that_loads_and_accepts_its_rows(tmp_path: Path, frame: pl.DataFrame):
    try:
        found = drafted(tmp_path, frame, "target")
    except SpecError as error:
        if "no column is left" not in str(error):
            raise
        return
    assert rejected(found.draft.spec, tmp_path / "rows.csv") == 0
    assert found.draft.spec.feature_columns()
