"""Building: from one exact dataset version to one exact features version."""

import hashlib
import json

from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import StorageError
from mlops_assets.features.engineering_code import engineering_digest
from mlops_assets.features.table import is_readable, write_features
from mlops_assets.features.version import FeaturesVersion, SplitPlan
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import require_passed

LAYOUT = 5
"""Raised when the platform itself makes other features or verdicts from the same inputs."""


def build(storage: Storage, spec: SystemSpec, dataset: DatasetVersion, run_id: str = "") -> FeaturesVersion:
    """The features of a dataset version: engineered, split, checked, committed and published.

    The same inputs give the version that exists already. A failed check is stored with the version, for
    later stages to refuse it.

    Raises:
        GateRefused: if a blocking check of the dataset version is not passed.
        SpecError: if the declaration does not fit the rows.
    """
    dataset = _stored(storage, dataset)
    require_passed(
        f"dataset {dataset.digest[:12]} of {spec.name}",
        dataset.verdicts,
        "land a corrected batch or retract the faulty one, then materialise the dataset",
    )
    plan = _kept_plan(storage, spec)
    known = plan and _known(storage, spec, features_digest(spec, dataset, plan), run_id)
    return known or _build_anew(storage, spec, dataset, plan, run_id)


def features_digest(spec: SystemSpec, dataset: DatasetVersion, plan: SplitPlan) -> str:
    """Digest of everything that the features, their parts and their verdicts follow from; gates judge models only."""
    columns = {
        name: [column.type, column.nullable, column.post_outcome, column.min is None or column.max is None]
        for name, column in spec.dataset.columns.items()
    }
    inputs = {
        "layout": LAYOUT,
        "system": [spec.name, spec.task, spec.dataset.target],
        "dataset": dataset.digest,
        "columns": [spec.feature_columns(), spec.context_columns(), columns],
        "features": spec.features.model_dump(mode="json"),
        "engineering": engineering_digest(spec),
        "plan": plan.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _stored(storage: Storage, dataset: DatasetVersion) -> DatasetVersion:
    stored = storage.records.find(DatasetVersion, dataset.system, dataset.digest)
    if stored is None:
        raise StorageError(
            f"dataset {dataset.digest[:12]} of {dataset.system!r} was never published. Remedy: materialise the dataset."
        )
    return stored


def _kept_plan(storage: Storage, spec: SystemSpec) -> SplitPlan | None:
    """The first plan ever published for the declared split: of two made at once, everyone keeps the same."""
    from mlops_assets.features.split import plan_digest

    digest = plan_digest(spec.features.split)
    plans = storage.records.history(SplitPlan, spec.name)
    return next((plan for plan in plans if plan.digest == digest), None)


def _known(storage: Storage, spec: SystemSpec, digest: str, run_id: str) -> FeaturesVersion | None:
    version = storage.records.find(FeaturesVersion, spec.name, digest)
    if version is None or not is_readable(storage, version):
        return None
    if storage.records.latest(FeaturesVersion, spec.name) != version:
        storage.records.append(version, run_id)  # back to an earlier version: it is the newest again
    return version


def _build_anew(
    storage: Storage, spec: SystemSpec, dataset: DatasetVersion, plan: SplitPlan | None, run_id: str
) -> FeaturesVersion:
    from mlops_assets.features.assembly import assemble, read_rows
    from mlops_assets.features.content import contents
    from mlops_assets.features.split import choose_plan, identities

    rows = read_rows(storage, spec, dataset)
    ids = identities(rows, spec)
    if plan is None:
        storage.records.append(choose_plan(rows, spec, ids), run_id)
        plan = _kept_plan(storage, spec)
        assert plan is not None
    digest = features_digest(spec, dataset, plan)
    assembly = assemble(rows, ids, plan, spec)
    content = contents(assembly.table.to_arrow())
    version = FeaturesVersion(
        system=spec.name,
        digest=digest,
        dataset_digest=dataset.digest,
        dataset_table_version=dataset.table_version,
        target=spec.dataset.target,
        group=spec.features.split.group,
        plan=plan,
        columns=assembly.columns,
        classes=assembly.classes,
        rows=assembly.counts,
        verdicts=assembly.verdicts,
        table_version=write_features(storage, spec.name, assembly.table, digest, content),
        content=content,
    )
    storage.records.append(version, run_id)
    return version
