"""King County: 21,613 real sales cost a declaration, whether their file is clean or messy."""

from pathlib import Path

import pytest

from mlops_assets.dataset.quarantine import read_quarantine
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.reading import read_declaration
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.diagnosis import Diagnosis
from mlops_assets.evaluation.report.report import Report
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.features.version import FeaturesVersion
from mlops_assets.model.version import ModelVersion
from mlops_assets_tests.platform import Platform, changed, checks

KING_COUNTY = """\
type: mlops_assets.component.MLSystem
attributes:
  name: king_county
  task: regression
  dataset:
    target: price
    key: [id, date]
    columns:
      id: {type: integer, description: House; a second sale has it again}
      date: {type: date, min: "2014-05-01", max: "2015-06-01"}
      price: {type: float, min: 1, unit: USD}
      bedrooms: {type: integer, min: 0, max: 40}
      bathrooms: {type: float, min: 0}
      sqft_living: {type: integer, min: 1}
      sqft_lot: {type: integer, min: 1}
      floors: {type: float, min: 1}
      waterfront: {type: boolean}
      view: {type: integer, min: 0, max: 4}
      condition: {type: integer, min: 1, max: 5}
      grade: {type: integer, min: 1, max: 13}
      sqft_above: {type: integer, min: 0}
      sqft_basement: {type: integer, min: 0}
      yr_built: {type: integer, min: 1800, max: 2015}
      yr_renovated: {type: integer, min: 0, max: 2015}
      zipcode: {type: string, pattern: "98[0-9]{3}"}
      lat: {type: float, min: 47, max: 48}
      long: {type: float, min: -123, max: -121}
      sqft_living15: {type: integer, min: 1}
      sqft_lot15: {type: integer, min: 1}
  features:
    exclude: [date]
    split: {group: id}
  model:
    params: {learning_rate: 0.08, max_iter: 500, min_samples_leaf: 10, max_features: 0.5}
    target_transform: log
    categorical: {encode: ordinal}
  evaluation:
    resamples: 500
    gates:
      - {metric: r2, at_least: 0.88}
      - {metric: mean_absolute_percentage_error, at_most: 0.125}
      - {check: beats_baseline}
"""


@pytest.fixture
def king_county(tmp_path: Path) -> SystemSpec:
    path = tmp_path / "systems" / "king_county" / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(KING_COUNTY, encoding="utf-8")
    return read_declaration(path)


@pytest.mark.slow
def test_king_county_becomes_champion_within_its_published_errors(
    platform: Platform, king_county: SystemSpec, shared_data: Path
):
    platform.land(king_county, shared_data / "king_county" / "kc_house_data.csv")
    result = platform.run(king_county)
    assert result.success, {name: ok for name, ok in checks(result).items() if not ok}
    records = platform.storage.records
    dataset = records.latest(DatasetVersion, "king_county")
    features = records.latest(FeaturesVersion, "king_county")
    assert dataset and features
    assert (dataset.rows, dataset.quarantined) == (21_613, 0)
    assert {column.name for column in features.columns if column.kind == "categorical"} == {"zipcode", "waterfront"}
    report = records.latest(EvaluationReport, "king_county")
    assert report
    values = {metric.name: metric.value or 0 for metric in report.metrics}
    assert 0.88 <= values["r2"] < 0.93
    assert 0.10 < values["mean_absolute_percentage_error"] <= 0.125
    assert platform.registry(king_county).champion() == 1
    model = records.latest(ModelVersion, "king_county")
    assert model and model.onnx_digest is None
    assert "TransformedTargetRegressor" in model.onnx_note
    by_price = conformal(platform, report)
    assert 0.885 <= (by_price.measures[0].value or 0) <= 0.915
    assert "under-covered: prediction part 4 of 4" in by_price.headline
    assert coverages(by_price)[0] > 0.95 and coverages(by_price)[3] < 0.8

    mended = changed(
        king_county,
        model={**king_county.model.model_dump(), "intervals": {"by": "prediction"}},
        evaluation={**king_county.evaluation.model_dump(), "diagnoses": ["conformal"]},
    )
    assert platform.run(mended, "model", "evaluation").success
    report = records.latest(EvaluationReport, "king_county")
    assert report and report.model_digest == model.digest
    own = conformal(platform, report)
    assert 0.885 <= (own.measures[0].value or 0) <= 0.915
    assert coverages(own) == pytest.approx([0.9] * 4, abs=0.03)
    assert "no segment is under-covered" in own.headline


def conformal(platform: Platform, record: EvaluationReport) -> Diagnosis:
    text = platform.tracking.fetch(record.report_uri, platform.folder / record.digest).read_bytes()
    return next(one for one in Report.model_validate_json(text).diagnoses if one.name == "conformal")


def coverages(found: Diagnosis) -> list[float]:
    """Of the quarters by predicted price."""
    return [float(row[2] or 0) for row in found.tables[0].rows if str(row[0]).startswith("prediction")]


def test_both_sales_of_a_house_are_in_one_part(platform: Platform, king_county: SystemSpec, shared_data: Path):
    from mlops_assets.features.table import read_features

    platform.land(king_county, shared_data / "king_county" / "kc_house_data.csv")
    assert platform.run(king_county, "dataset", "features").success
    features = platform.storage.records.latest(FeaturesVersion, "king_county")
    assert features
    assert all(verdict.passed for verdict in features.verdicts), [v.reason for v in features.verdicts if not v.passed]
    rows = read_features(platform.storage, features)
    rows = rows[rows["_part"] != "excluded"]
    sales = rows.groupby("@id")["_part"].agg(["size", "nunique"])
    assert (sales["size"] > 1).sum() > 170
    assert (sales["nunique"] == 1).all()


def test_the_messy_copy_lands_without_the_rows_that_lack_cells(
    platform: Platform, king_county: SystemSpec, shared_data: Path
):
    platform.land(king_county, shared_data / "king_county_messy" / "kc_house_data_NaN.csv")
    assert platform.run(king_county, "dataset").success
    records = platform.storage.records
    outcome, dataset = records.latest(BatchOutcome, "king_county"), records.latest(DatasetVersion, "king_county")
    assert outcome and dataset
    assert outcome.ignored_columns == ["unnamed column 1"]
    assert outcome.violations == {"bedrooms: nullable": 13, "bathrooms: nullable": 10}
    assert read_quarantine(platform.storage, "king_county").height == 13 + 10
    assert (outcome.quarantined, dataset.rows) == (16, 21_613 - 16)  # seven rows lack both
