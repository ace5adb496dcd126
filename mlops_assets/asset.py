"""What the assets of all stages have in common: keys, checks, records, refusals."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, TypeVar

import dagster as dg

from mlops_assets.declaration.owner_code import own_hashes
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import MlopsError
from mlops_assets.resources.redaction import redacting
from mlops_assets.resources.time_limit import limited
from mlops_assets.storage.records import Record
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import BLOCKED, Severity, Verdict

Metadata = Mapping[str, str | int | float | dg.MetadataValue | dg.TableSchema | None]
"""What Dagster shows beside an asset or check, by its label."""
CodeCheck = Callable[[SystemSpec], None]
"""Raises where code that a declaration points at is missing or wrong."""
R = TypeVar("R", bound=Record)
ACTOR_TAG = "mlops/actor"
PERSON_TAGS = (ACTOR_TAG, "user", "dagster/user")
LONGEST_NAME = 200


def asset_key(spec: SystemSpec, stage: str) -> dg.AssetKey:
    """The key of one stage of one system."""
    return dg.AssetKey([spec.name, stage])


def stage_asset(  # noqa: PLR0913  the keyword face of dg.asset
    spec: SystemSpec,
    stage: str,
    *,
    description: str,
    kinds: set[str],
    upstream: Sequence[str] = (),
    checks: Sequence[dg.AssetCheckSpec] = (),
    parts: Sequence[str] = (),
    pool: str | None = None,
) -> Callable[[Callable[..., dg.MaterializeResult]], dg.AssetsDefinition]:
    """Decorator that makes a function the asset of ``stage``; ``parts`` of the declaration are its code version."""
    asset = dg.asset(
        key=asset_key(spec, stage),
        group_name=spec.name,
        deps=[asset_key(spec, name) for name in upstream],
        description=description,
        kinds=kinds,
        owners=spec.owners,
        tags={"system": spec.name, "stage": stage},
        metadata={"task": spec.task, "purpose": spec.description},
        code_version=_code_version(spec, parts),
        check_specs=list(checks),
        op_tags=pod_resources(spec, gpu=stage == "model"),
        pool=pool,
    )
    seconds = spec.automation.timeout.of(stage)
    key = f"automation.timeout.{stage}"
    return lambda compute: asset(limited(redacting()(compute), f"{spec.name}/{stage}", key, seconds))


def _code_version(spec: SystemSpec, parts: Sequence[str]) -> str:
    """Digest of ``parts`` of the declaration and of the owner's files that they reach, found without importing any."""
    named = [
        *([spec.features.engineer] if "features" in parts else []),
        *([spec.model.estimator, spec.model.transformer] if "model" in parts else []),
    ]
    declared = spec.digest(*parts)
    try:
        hashes = own_hashes(named)
    except OSError as error:  # a run will say so; loading goes on, for the other systems too
        hashes = {"unreadable": str(error)}
    return sha256(f"{declared} {hashes}".encode()).hexdigest()[:16] if hashes else declared[:16]


def check(spec: SystemSpec, stage: str, name: str, description: str, severity: Severity = "block") -> dg.AssetCheckSpec:
    """The declaration of one asset check; blocking ones stop the run."""
    return dg.AssetCheckSpec(
        name=name, asset=asset_key(spec, stage), description=description, blocking=severity == "block"
    )


def check_result(spec: SystemSpec, stage: str, verdict: Verdict) -> dg.AssetCheckResult:
    """A verdict as Dagster shows it, its numbers as metadata."""
    severity = dg.AssetCheckSeverity.ERROR if verdict.severity == "block" else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        asset_key=asset_key(spec, stage),
        check_name=verdict.name,
        passed=verdict.passed,
        severity=severity,
        description=verdict.reason,
        metadata=_numbers(verdict),
    )


def check_evaluation(spec: SystemSpec, stage: str, verdict: Verdict) -> dg.AssetCheckEvaluation:
    """A verdict found outside any run, as Dagster shows it."""
    shown = check_result(spec, stage, verdict)
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(spec, stage),
        check_name=verdict.name,
        passed=verdict.passed,
        severity=shown.severity,
        description=verdict.reason,
        metadata=shown.metadata,
    )


def check_results(spec: SystemSpec, stage: str, verdicts: Sequence[Verdict]) -> list[dg.AssetCheckResult]:
    """All verdicts of a stage as Dagster shows them; the blocking ones are logged too."""
    for verdict in verdicts:
        if verdict.blocks:
            dg.get_dagster_logger().error(
                f"{BLOCKED} {spec.name}/{stage}: {verdict.name} {verdict.outcome}: {verdict.reason}"
            )
    return [check_result(spec, stage, verdict) for verdict in verdicts]


def require(storage: Storage, kind: type[R], system: str, remedy: str) -> R:
    """The newest record of a stage, or a failure that says what to run first."""
    record = storage.records.latest(kind, system)
    if record is None:
        raise dg.Failure(f"{system} has no {kind.stage} yet. Remedy: {remedy}", allow_retries=False)
    return record


@contextmanager
def refusals() -> Iterator[None]:
    """Turn an error that the platform raises on purpose into a failed step that is not retried."""
    try:
        yield
    except MlopsError as error:
        raise dg.Failure(f"{type(error).__name__}: {error}", allow_retries=False) from error


def claims(context: dg.AssetExecutionContext) -> tuple[str, ...]:
    """Whom the tags of this run name as who started it: a schedule, a sensor, a person. Anybody may write them."""
    tags = context.run.tags
    named = [f"{kind} {tags[key]}" for kind in ("schedule", "sensor") if (key := f"dagster/{kind}_name") in tags]
    named += [tags[key] for key in PERSON_TAGS if key in tags]
    cleaned = ("".join(filter(str.isprintable, name)).strip()[:LONGEST_NAME] for name in named)
    return tuple(dict.fromkeys(filter(None, cleaned)))


def versions(**digests: str | int | None) -> Metadata:
    """Exact versions as metadata, shortened for the eye."""
    return {name: _short(value) for name, value in digests.items() if value not in (None, "")}


def pod_resources(spec: SystemSpec, gpu: bool) -> Mapping[str, Any]:
    """Size of the step's pod; read by ``k8s_job_executor`` only."""
    resources = spec.resources
    amounts = {"cpu": f"{resources.cpu:g}", "memory": resources.memory}
    limits = {**amounts, "nvidia.com/gpu": str(resources.gpu)} if gpu and resources.gpu else amounts
    return {"dagster-k8s/config": {"container_config": {"resources": {"requests": amounts, "limits": limits}}}}


def _short(value: str | int | None) -> str | int | None:
    return value[:16] if isinstance(value, str) and len(value) == 64 else value


def _numbers(verdict: Verdict) -> Metadata:
    numbers: Metadata = {
        "outcome": verdict.outcome,
        "value": verdict.value,
        "bound": verdict.bound,
        "interval_low": verdict.interval[0] if verdict.interval else None,
        "interval_high": verdict.interval[1] if verdict.interval else None,
        "rows": verdict.rows,
        "min_rows": verdict.min_rows,
    }
    shown = {name: value for name, value in numbers.items() if value is not None}
    return {**shown, "details": dg.MetadataValue.json(verdict.details)} if verdict.details else shown
