"""A declaration of an earlier release is refused with the word that is used now."""

import pytest
from pydantic import ValidationError

from mlops_assets.declaration.spec import SystemSpec

PLANS = {
    "name": "plans",
    "task": "regression",
    "dataset": {"target": "spend", "columns": {"months": {"type": "integer"}, "spend": {"type": "float"}}},
}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"evaluation": {"diagnoses": ["serving"]}}, "'serving' is now called 'efficiency'"),
        (
            {"evaluation": {"gates": [{"measure": "serving.latency_p95_ms", "at_most": 50}]}},
            "'serving.latency_p95_ms' is now called 'efficiency.latency_p95_ms'",
        ),
        (
            {"registry": {"guards": [{"measure": "serving.artefact_mb", "margin": 5}]}},
            "'serving.artefact_mb' is now called 'efficiency.artefact_mb'",
        ),
    ],
)
def test_a_renamed_diagnosis_is_named_by_its_new_name(part: dict[str, object], message: str):
    with pytest.raises(ValidationError) as refusal:
        SystemSpec.model_validate({**PLANS, **part})
    assert message in str(refusal.value)
