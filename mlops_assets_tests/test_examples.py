"""The examples in the docstrings of what a user of the library calls run and give what they say."""

import doctest
from collections.abc import Iterator
from importlib import import_module

import pytest

PUBLIC = {
    "mlops_assets.comparison.delong": ["delong"],
    "mlops_assets.comparison.mcnemar": ["mcnemar"],
    "mlops_assets.comparison.pair": ["compare"],
    "mlops_assets.comparison.paired_bootstrap": ["paired_bootstrap"],
    "mlops_assets.dataset.ingestion": ["ingest"],
    "mlops_assets.dataset.landing": ["land"],
    "mlops_assets.declaration.reading": ["read_declaration"],
    "mlops_assets.features.split": ["assign"],
    "mlops_assets.metrics.estimate": ["estimate"],
    "mlops_assets.metrics.proportion": ["share_interval"],
    "mlops_assets.metrics.scoring": ["values"],
    "mlops_assets.model.conformal": ["calibration_scores", "label_scores", "threshold"],
    "mlops_assets.model.prediction_intervals": ["fit_intervals"],
    "mlops_assets.model.threshold": ["choose"],
    "mlops_assets.storage.ledger": ["Ledger"],
    "mlops_assets.settings": ["Settings.open_storage"],
    "mlops_assets.storage.records": ["RecordStore"],
    "mlops_assets.storage.storage": ["Storage"],
}


def examples(module: str) -> Iterator[doctest.DocTest]:
    """The docstrings of ``module`` that hold an example."""
    return (test for test in doctest.DocTestFinder().find(import_module(module)) if test.examples)


@pytest.mark.parametrize("module", PUBLIC)
def test_examples_give_what_they_say(module: str, capsys: pytest.CaptureFixture[str]):
    runner = doctest.DocTestRunner()
    ran = [example.name.removeprefix(f"{module}.") for example in examples(module) if runner.run(example)]
    assert runner.failures == 0, capsys.readouterr().out
    assert set(PUBLIC[module]) <= set(ran)
