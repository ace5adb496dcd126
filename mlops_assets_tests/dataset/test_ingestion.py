import json
import random
import shutil
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_assets.dataset.checks import contract_verdict
from mlops_assets.dataset.ingestion import Ingestion, ingest, retract
from mlops_assets.dataset.landing import land
from mlops_assets.dataset.quarantine import read_quarantine
from mlops_assets.dataset.table import DatasetTable, read_dataset, sample_dataset
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import LandingError, StorageError
from mlops_assets.storage.storage import Storage
from mlops_assets_tests.dataset.declaring import COLUMNS, system

SPEC = system(max_quarantined=0.5)
GOOD = "x,note,y\n1,,a\n2,n,b\n3,,a\n"


@pytest.fixture
def lake(storage: Storage, tmp_path: Path) -> "Lake":
    return Lake(storage, tmp_path)


class Lake:
    """A storage with short ways to land text and ingest it."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self.storage, self.folder = storage, folder

    def land(self, text: str, name: str = "rows.csv") -> str:
        (self.folder / name).write_text(text)
        return land(self.storage, "s", self.folder / name).batch

    def ingest(self, text: str | None = None, spec: SystemSpec = SPEC, name: str = "rows.csv") -> Ingestion:
        if text is not None:
            self.land(text, name)
        return ingest(self.storage, spec, run_id="run")

    def read(self, ingestion: Ingestion, *columns: str) -> list[tuple]:
        return read_dataset(self.storage, _version(ingestion), columns or None).rows()

    def violations(self) -> list[tuple]:
        return read_quarantine(self.storage, "s").select("row", "column", "rule", "value").rows()


def test_accepted_rows_have_their_types_their_origin_and_their_place(lake: Lake):
    ingestion = lake.ingest(GOOD)
    rows = read_dataset(lake.storage, _version(ingestion))
    batch = ingestion.outcomes[0].digest
    assert rows.select("x", "note", "y", "_batch", "_row").rows() == [
        (1.0, None, "a", batch, 1),
        (2.0, "n", "b", batch, 2),
        (3.0, None, "a", batch, 3),
    ]
    assert rows["_hash"].dtype == pl.Int64


def test_every_declared_type_survives_the_table(lake: Lake):
    kinds = {
        "float": "1.5",
        "integer": "7",
        "string": "é",
        "boolean": "yes",
        "date": "20141013",
        "datetime": "2014-10-13T05:00Z",
    }
    spec = system({kind: {"type": kind} for kind in kinds}, target="string")
    ingestion = lake.ingest(f"{','.join(kinds)}\n{','.join(kinds.values())}\n", spec)
    rows = read_dataset(lake.storage, _version(ingestion), list(kinds))
    assert rows.dtypes == [pl.Float64, pl.Int64, pl.String, pl.Boolean, pl.Date, pl.Datetime("us", "UTC")]
    assert [str(cell) for cell in rows.row(0)] == [
        "1.5", "7", "é", "True", "2014-10-13", "2014-10-13 05:00:00+00:00",
    ]  # fmt: skip


def test_awkward_names_of_columns_and_folders(tmp_path: Path):
    folder = tmp_path / "my data, 100% (new)"
    lake = Lake(Storage.local(folder), tmp_path)
    columns = {
        "default.payment": {"type": "float", "unique": True},
        "größe in m²": {"type": "float"},
        "a/b": {"type": "string"},
    }
    spec = system(columns, target="a/b", max_quarantined=0.5)
    lake.ingest("default.payment,größe in m²,a/b\n1,2,x\n", spec)
    ingestion = lake.ingest("default.payment,größe in m²,a/b\n2,3,x\n1,3,x\n", spec)
    assert sorted(lake.read(ingestion, *columns)) == [(1, 2, "x"), (2, 3, "x")]
    assert lake.violations() == [(2, "default.payment", "unique", "1")]


def test_a_batch_of_which_no_row_is_accepted_is_a_version_too(lake: Lake):
    version = _version(lake.ingest("x,note,y\n-1,,a\n", system(max_quarantined=1)))
    assert (version.rows, version.batches, version.quarantined) == (0, 1, 1)
    assert read_dataset(lake.storage, version).height == 0
    assert _version(lake.ingest(GOOD)).rows == 3


def test_nothing_landed_is_no_version(lake: Lake):
    assert lake.ingest() == Ingestion(None, [])


def test_ingesting_again_changes_nothing(lake: Lake):
    first = lake.ingest(GOOD)
    again = lake.ingest(GOOD)
    assert again == Ingestion(first.version, [])
    assert len(lake.storage.records.history(DatasetVersion, "s")) == 1
    assert _latest(lake).version == 1


def test_bad_rows_go_to_quarantine_with_column_rule_value_and_record(lake: Lake):
    ingestion = lake.ingest("x,note,y,z\n1,,a,0\n-2,,b,0\nx,,c,0\n4,,a,0\n")
    outcome = ingestion.outcomes[0]
    assert (outcome.rows, outcome.accepted, outcome.quarantined) == (4, 2, 2)
    assert outcome.violations == {"x: min": 1, "x: type": 1, "y: allowed": 1}
    assert outcome.ignored_columns == ["z"]
    assert lake.violations() == [(2, "x", "min", "-2"), (3, "x", "type", "x"), (3, "y", "allowed", "c")]
    quarantine = read_quarantine(lake.storage, "s", outcome.digest)
    assert json.loads(quarantine["record"][0]) == {"x": "-2", "note": None, "y": "b"}
    assert read_quarantine(lake.storage, "s", "other").height == 0
    assert lake.read(ingestion, "_row") == [(1,), (4,)]


def test_too_many_bad_rows_reject_the_batch_and_show_them(lake: Lake):
    before = lake.ingest(GOOD)
    after = lake.ingest("x,note,y\n1,,a\n-2,,b\n-3,,b\n")
    assert after.version == before.version
    assert after.outcomes[0].outcome == "rejected"
    assert after.outcomes[0].reason.startswith(
        "too_many_quarantined: 2 of 3 rows (66.7%) break the contract, 50.0% may"
    )
    assert after.outcomes[0].rows == 3
    assert lake.violations() == [(2, "x", "min", "-2"), (3, "x", "min", "-3")]


def test_exactly_the_allowed_share_is_accepted(lake: Lake):
    assert lake.ingest("x,note,y\n1,,a\n-2,,b\n").outcomes[0].outcome == "accepted"


@pytest.mark.parametrize("text", ["x,note\n1,\n", "1,2,3\n", "x,note,y\n1,,a\n1\n", "\n", "x,note,y\n"])
def test_a_rejected_file_is_kept_and_leaves_the_dataset_as_it_was(lake: Lake, text: str):
    before = lake.ingest(GOOD)
    after = lake.ingest(text, name="bad.csv")
    outcome = after.outcomes[0]
    assert after.version == before.version
    assert (outcome.outcome, outcome.original, outcome.table_version) == ("rejected", "bad.csv", None)
    assert "Remedy" in outcome.reason
    assert (Path(lake.storage.landing("s")) / outcome.file).read_text() == text
    assert lake.ingest().outcomes == []
    assert _parquet_files(lake) == 1
    verdict = contract_verdict(after.outcomes)
    assert verdict.blocks
    assert "'bad.csv' was rejected" in verdict.reason


def test_a_rejected_batch_is_offered_again_under_another_contract(lake: Lake):
    assert lake.ingest("x,note,y\n-1,,a\n").outcomes[0].outcome == "rejected"
    mended = system({**COLUMNS, "x": {"type": "float"}})
    ingestion = lake.ingest(spec=mended)
    assert [outcome.outcome for outcome in ingestion.outcomes] == ["accepted"]
    assert lake.read(ingestion, "x") == [(-1.0,)]
    assert lake.violations() == []


def test_one_bad_batch_does_not_hold_up_the_others(lake: Lake):
    lake.land("nonsense")
    lake.land(GOOD)
    outcomes = lake.ingest().outcomes
    assert [outcome.outcome for outcome in outcomes] == ["rejected", "accepted"]


def test_duplicates_count_rows_that_repeat_an_earlier_row(lake: Lake):
    assert _version(lake.ingest("x,note,y\n1,,a\n1.0,,a\n2,,a\n")).duplicates == 1
    version = _version(lake.ingest("x,note,y\n2,,a\n3,,a\n1,,a\n"))
    assert (version.rows, version.duplicates) == (6, 3)


def test_keys_and_unique_values_hold_across_batches(lake: Lake):
    columns = {"k": {"type": "integer"}, "u": {"type": "string", "unique": True, "nullable": True}, **COLUMNS}
    spec = system(columns, key=["k"], max_quarantined=1)
    lake.ingest("k,u,x,note,y\n1,one,1,,a\n2,,1,,a\n", spec)
    ingestion = lake.ingest("k,u,x,note,y\n2,two,1,,a\n3,one,1,,a\n4,,1,,a\n", spec)
    assert lake.violations() == [(1, "k", "key", "2"), (2, "u", "unique", "one")]
    assert sorted(lake.read(ingestion, "k")) == [(1,), (2,), (4,)]


def test_a_key_declared_later_is_held_against_earlier_rows(lake: Lake):
    lake.ingest("x,note,y\n1,,a\n2,,a\n")
    lake.ingest("x,note,y\n2,,b\n3,,a\n", system(key=["x"], max_quarantined=0.5))
    assert lake.violations() == [(1, "x", "key", "2")]


def test_lost_hash_files_are_made_again(lake: Lake):
    lake.ingest(GOOD)
    shutil.rmtree(lake.storage.table("s", "seen"))
    assert _version(lake.ingest("x,note,y\n1,,a\n9,,a\n")).duplicates == 1


def test_an_append_touches_no_earlier_file(lake: Lake):
    lake.ingest(GOOD)
    [old] = Path(lake.storage.table("s", "dataset")).glob("*.parquet")
    old.write_bytes(b"\0" * old.stat().st_size)
    assert _version(lake.ingest("x,note,y\n1,,a\n")).rows == 4


def test_a_new_nullable_column_widens_the_table(lake: Lake):
    lake.ingest(GOOD)
    wider = system({**COLUMNS, "new": {"type": "integer", "nullable": True}})
    ingestion = lake.ingest("x,note,y,new\n1,,a,\n9,,a,5\n", wider)
    assert sorted(row[0] or 0 for row in lake.read(ingestion, "new")) == [0, 0, 0, 0, 5]
    assert _version(ingestion).duplicates == 1


def test_a_new_nullable_column_is_there_without_a_new_batch(lake: Lake):
    before = _version(lake.ingest(GOOD))
    ingestion = lake.ingest(spec=system({**COLUMNS, "new": {"type": "integer", "nullable": True}}))
    assert _version(ingestion).digest == before.digest
    assert lake.read(ingestion, "new") == [(None,), (None,), (None,)]


def test_a_column_no_longer_declared_reads_as_empty(lake: Lake):
    lake.ingest(GOOD)
    narrower = system({name: COLUMNS[name] for name in ("x", "y")})
    assert sorted(lake.read(lake.ingest("x,y\n9,a\n", narrower), "x", "note"), key=str)[-1] == (9.0, None)


def test_a_new_column_that_must_not_be_empty_is_refused(lake: Lake):
    lake.ingest(GOOD)
    lake.land("x,note,y,new\n1,,a,1\n")
    with pytest.raises(StorageError, match=r"3 rows without the new columns \['new'\]"):
        lake.ingest(spec=system({**COLUMNS, "new": {"type": "integer"}}))


def test_a_column_of_another_type_is_refused(lake: Lake):
    lake.ingest(GOOD)
    lake.land("x,note,y\n1,7,a\n")
    with pytest.raises(StorageError, match="'note' as string, declared is integer"):
        lake.ingest(spec=system({**COLUMNS, "note": {"type": "integer", "nullable": True}}))


def test_versions_stay_readable_as_they_were(lake: Lake):
    first = lake.ingest(GOOD)
    second = lake.ingest("x,note,y\n9,,a\n")
    assert len(lake.read(first)) == 3
    assert len(lake.read(second)) == 4
    assert lake.storage.records.history(DatasetVersion, "s") == [first.version, second.version]


def test_a_sample_is_spread_over_the_batches_and_bounded(lake: Lake):
    for start in range(0, 400, 100):
        lake.land("x,note,y\n" + "".join(f"{start + row},,a\n" for row in range(100)))
    version = _version(lake.ingest())
    assert sample_dataset(lake.storage, version, ["x"]).height == 400
    sample = sample_dataset(lake.storage, version, ["x"], rows=40)
    assert sample.height == 40
    assert {int(value) // 100 for value in sample["x"]} == {0, 1, 2, 3}


def test_a_version_whose_table_is_another_is_refused(lake: Lake):
    version = _version(lake.ingest(GOOD)).model_copy(update={"digest": "0" * 64})
    with pytest.raises(StorageError, match="is not dataset '000000000000'"):
        read_dataset(lake.storage, version)
    with pytest.raises(StorageError, match="version 77"):
        read_dataset(lake.storage, version.model_copy(update={"table_version": 77}))


def test_a_foreign_commit_is_refused(lake: Lake):
    from deltalake import DeltaTable

    lake.ingest(GOOD)
    DeltaTable(lake.storage.table("s", "dataset")).delete("x > 1")
    lake.land("x,note,y\n9,,a\n")
    with pytest.raises(StorageError, match=r"Commit 2 of .* was not made by this platform"):
        lake.ingest()


def test_a_landed_file_that_was_changed_is_rejected_and_stops_no_other(lake: Lake):
    batch = lake.land(GOOD)
    (Path(lake.storage.landing("s")) / f"{batch}.csv").write_text("x,note,y\n666,,a\n")
    changed, good = lake.ingest("x,note,y\n9,,a\n").outcomes
    assert "changed_file: " in changed.reason and "no longer holds the bytes" in changed.reason
    assert (changed.outcome, good.outcome) == ("rejected", "accepted")


def test_a_crash_between_commit_and_record_is_repaired(lake: Lake):
    whole = lake.ingest(GOOD)
    fresh = Storage(lake.storage.root, f"sqlite:///{lake.folder / 'other.db'}")
    repaired = ingest(fresh, SPEC)
    assert repaired == whole
    assert _latest(lake).version == 1


def test_freshness_alone_makes_a_new_record_of_the_same_version(lake: Lake):
    first = lake.ingest(GOOD)
    stale = lake.ingest(spec=system(freshness={"max_age_days": 1e-9}, max_quarantined=0.5))
    assert [verdict.name for verdict in _version(first).verdicts] == ["duplicates", "volume"]
    assert _version(stale).digest == _version(first).digest
    assert _version(stale).verdicts[-1].outcome == "failed"


def test_retraction_restores_the_dataset_of_before(lake: Lake):
    before = lake.ingest(GOOD)
    batch = lake.ingest("x,note,y\n1,,a\n9,,a\n-1,,a\n", name="wrong.csv").outcomes[0].digest
    after = retract(lake.storage, SPEC, batch[:10], "wrong units")
    assert after is not None
    expected = _version(before).model_dump(exclude={"table_version", "newest_landed_at"})
    assert after.model_dump(exclude={"table_version", "newest_landed_at"}) == expected
    assert after.newest_landed_at == _version(before).newest_landed_at
    assert after.table_version == 3
    assert read_dataset(lake.storage, after).equals(read_dataset(lake.storage, _version(before)))
    outcome = lake.storage.records.find(BatchOutcome, "s", batch)
    assert outcome is not None
    assert (outcome.outcome, outcome.reason) == ("retracted", "wrong units")


def test_retracted_bytes_stay_out_and_landing_them_says_so(lake: Lake):
    lake.ingest(GOOD)
    retract(lake.storage, SPEC, "", "wrong")
    landed = land(lake.storage, "s", lake.folder / "rows.csv")
    assert "retracted and stay out: wrong" in landed.note
    ingestion = lake.ingest()
    assert ingestion.outcomes == []
    assert (_version(ingestion).rows, _version(ingestion).batches) == (0, 0)


def test_a_key_is_free_again_after_retraction(lake: Lake):
    spec = system(key=["x"], max_quarantined=1)
    first = lake.ingest("x,note,y\n1,,a\n", spec).outcomes[0].digest
    retract(lake.storage, spec, first, "wrong")
    assert lake.ingest("x,note,y\n1,,b\n", spec).outcomes[0].accepted == 1


@pytest.mark.parametrize(
    ("prefix", "message"),
    [("", "names several batches"), ("f" * 64, "names no accepted or rejected batch"), ("bad", "rows.csv")],
)
def test_an_unclear_retraction_names_the_candidates(lake: Lake, prefix: str, message: str):
    lake.ingest(GOOD)
    lake.ingest("x,note,y\n9,,a\n")
    with pytest.raises(LandingError, match=rf"{message}.*"):
        retract(lake.storage, SPEC, prefix, "why")


def test_retracting_twice_names_the_batch_as_retracted(lake: Lake):
    batch = lake.ingest(GOOD).outcomes[0].digest
    retract(lake.storage, SPEC, batch, "why")
    with pytest.raises(LandingError, match=rf"{batch[:12]} \(rows\.csv, retracted\)"):
        retract(lake.storage, SPEC, batch, "again")


def test_a_crash_between_retraction_and_its_record_is_repaired(lake: Lake):
    accepted = lake.ingest(GOOD).outcomes[0]
    retract(lake.storage, SPEC, accepted.digest, "why")
    fresh = Storage(lake.storage.root, f"sqlite:///{lake.folder / 'other.db'}")
    fresh.records.append(accepted)
    ingestion = ingest(fresh, SPEC)
    assert [outcome.reason for outcome in ingestion.outcomes] == ["why"]
    assert _version(ingestion).rows == 0
    assert _latest(lake).version == 2


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 20), min_size=1, max_size=20), st.lists(st.integers(1, 19), max_size=3), st.randoms())
def test_batches_in_any_order_with_repeats_are_the_same_dataset(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], cuts: list[int], random: random.Random
):
    edges = [0, *sorted({cut for cut in cuts if cut < len(values)}), len(values)]
    parts = [values[low:high] for low, high in pairwise(edges)]
    one = _ingested(tmp_path_factory.mktemp("one"), parts)
    other = _ingested(tmp_path_factory.mktemp("other"), random.sample(parts * 2, len(parts) * 2), together=True)
    assert one == other


def _ingested(folder: Path, parts: list[list[int]], together: bool = False) -> tuple[str, list[tuple], int]:
    lake = Lake(Storage.local(folder), folder)
    for part in parts:
        lake.land("x,note,y\n" + "".join(f"{value},,a\n" for value in part))
        if not together:
            lake.ingest()
    ingestion = lake.ingest()
    return _version(ingestion).digest, lake.read(ingestion), _version(ingestion).duplicates


def _version(ingestion: Ingestion) -> DatasetVersion:
    assert ingestion.version is not None
    return ingestion.version


def _latest(lake: Lake) -> DatasetTable:
    table = DatasetTable.latest(lake.storage, "s")
    assert table is not None
    return table


def _parquet_files(lake: Lake) -> int:
    return len(list(Path(lake.storage.table("s", "dataset")).glob("*.parquet")))
