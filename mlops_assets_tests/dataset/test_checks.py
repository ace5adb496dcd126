from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops_assets.dataset.checks import content_verdicts, contract_verdict
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets_tests.dataset.declaring import system

NOW = datetime(2026, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declared", "name", "outcome", "value", "bound"),
    [
        ({}, "duplicates", "passed", 0.05, 0.05),
        ({"duplicates": {"at_most": 0.04}}, "duplicates", "failed", 0.05, 0.04),
        ({"volume": {"min_rows": 100}}, "volume", "passed", 100, 100),
        ({"volume": {"min_rows": 101}}, "volume", "failed", 100, 101),
        ({"volume": {"min_rows": 1, "max_rows": 99}}, "volume", "failed", 100, 99),
        ({"freshness": {"max_age_days": 2}}, "freshness", "passed", 2, 2),
        ({"freshness": {"max_age_days": 1.9}}, "freshness", "failed", 2, 1.9),
    ],
)
def test_content_verdicts(declared: dict[str, Any], name: str, outcome: str, value: float, bound: float):
    dataset = system(None, "y", **declared).dataset
    [verdict] = [verdict for verdict in content_verdicts(_version(), dataset, NOW) if verdict.name == name]
    assert (verdict.outcome, verdict.value, verdict.bound, verdict.rows) == (outcome, value, bound, 100)


def test_severity_is_the_declared_one():
    declared: dict[str, Any] = {
        "volume": {"min_rows": 101, "severity": "warn"},
        "duplicates": {"at_most": 0, "severity": "block"},
    }
    duplicates, volume = content_verdicts(_version(), system(**declared).dataset, NOW)
    assert (duplicates.blocks, volume.blocks) == (True, False)


def test_freshness_is_only_checked_where_it_is_declared():
    assert [verdict.name for verdict in content_verdicts(_version(), system().dataset)] == ["duplicates", "volume"]


def test_the_contract_fails_with_file_rule_and_remedy():
    rejected = _outcome(outcome="rejected", reason="no_header: the first line is data. Remedy: add one")
    verdict = contract_verdict([_outcome(outcome="accepted", quarantined=2, rows=9), rejected])
    assert verdict.blocks
    assert verdict.reason == "'rows.csv' was rejected: no_header: the first line is data. Remedy: add one"
    assert (verdict.value, verdict.rows) == (1, 9)


def test_the_contract_passes_where_nothing_was_rejected():
    assert contract_verdict([]).passed
    assert contract_verdict([_outcome(outcome="accepted", quarantined=2)]).reason == "1 new batches, 2 rows quarantined"


def _version() -> DatasetVersion:
    return DatasetVersion(
        system="s",
        digest="d",
        table_version=1,
        rows=100,
        batches=1,
        quarantined=0,
        duplicates=5,
        newest_landed_at=NOW - timedelta(days=2),
    )


def _outcome(**facts: Any) -> BatchOutcome:
    return BatchOutcome(system="s", digest="d", file="f", original="rows.csv", landed_at=NOW, **facts)
