"""Report format: a report of any release is read as one of this release."""

import json

import pytest

from mlops_assets.errors import StorageError
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.report import FORMAT, Report
from mlops_assets.evaluation.report.report_format import UPGRADES, read_report
from mlops_assets_tests.evaluation.conftest import Case


def as_format_1(report: Report) -> bytes:
    """The report as releases before the format had a number wrote it."""
    body = json.loads(report.to_json())
    del body["format"], body["terms"]
    for gate in body["gates"]:
        del gate["side"]
        if (rows := gate.pop("min_rows")) is not None:
            gate["details"]["min_rows"] = rows
    for diagnosis in body["diagnoses"]:
        del diagnosis["reason"]
        for table in diagnosis["tables"]:
            del table["name"], table["keys"]
    return json.dumps(body).encode()


@pytest.fixture(scope="module")
def reports(classification: Case, regression: Case) -> list[Report]:
    return [classification.report(), regression.report()]


def test_a_report_of_this_release_comes_back_as_it_was_written(reports: list[Report]):
    for report in reports:
        assert json.loads(report.to_json())["format"] == FORMAT
        assert read_report(report.to_json().encode()) == report


def test_a_report_of_format_1_is_the_same_report(reports: list[Report]):
    for report in reports:
        assert read_report(as_format_1(report)) == report.model_copy(update={"terms": {}})


def test_there_is_an_upgrade_from_every_earlier_format():
    assert len(UPGRADES) == FORMAT - 1


def test_a_page_shows_the_digest_of_the_bytes_that_were_read(reports: list[Report]):
    assert "e" * 64 in render(reports[0], "e" * 64)
    assert reports[0].digest in render(reports[0])


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ('{"format": 99}', "has format 99, this release reads up to"),
        ('{"system": "wine"}', "cannot be read by this release"),
        ("no JSON", "cannot be read by this release"),
    ],
)
def test_what_cannot_be_read_names_the_remedy(stored: str, message: str):
    with pytest.raises(StorageError, match=f"(?s){message}.*Remedy: "):
        read_report(stored)


def test_a_diagnosis_of_an_earlier_release_has_its_new_name(reports: list[Report]):
    body = json.loads(reports[0].to_json())
    body["diagnoses"][0]["name"] = "serving"
    first = read_report(json.dumps({**body, "format": 1})).diagnoses[0]
    assert first.name == "efficiency"
