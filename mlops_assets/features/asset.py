"""The features asset: engineered rows with their split, checked for leaks."""

import dagster as dg

from mlops_assets.asset import CodeCheck, check, check_results, refusals, require, stage_asset, versions
from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.resources.storage import StorageResource

STAGE = "features"
CHECKS = {
    "no_overlap": "No row, and no row's copy or group, is in two parts; by time, later parts are newer.",
    "no_undeclared_groups": "No column makes rows of one value alike, but for the declared group.",
    "no_leakage": "No feature determines the target, alone or with others.",
    "no_target": "Target and post-outcome columns are not among the features.",
    "no_degenerate": "Engineering made no empty, infinite, constant or absurdly ranged values, no batch another unit.",
}
NEAR = "no_near_duplicates"
DECLARED_NEAR = "No row of a later part is within the declared tolerance of a row of an earlier one."
SUSPECTED_NEAR = "No rows of different parts are far nearer to each other than to any further row."
WARNINGS = {
    "no_proxy": "No feature looks like the target with errors.",
    "enough_rows": "Every part has rows of every class.",
}


def features_asset(spec: SystemSpec, check_code: CodeCheck) -> dg.AssetsDefinition:
    """The asset ``[<system>, "features"]``; ``check_code`` goes before the work."""

    @stage_asset(
        spec,
        STAGE,
        description=f"Model inputs of {spec.name} with their split: a row's part is a stable hash and never moves.",
        kinds={"deltalake", "pandas"},
        upstream=["dataset"],
        checks=[
            *(check(spec, STAGE, name, text) for name, text in _blocking(spec).items()),
            *(check(spec, STAGE, name, text, "warn") for name, text in _warning(spec).items()),
        ],
        parts=("dataset", "features"),
    )
    def features(context: dg.AssetExecutionContext, storage: StorageResource) -> dg.MaterializeResult:
        from mlops_assets.features.building import build

        opened = storage.open()
        dataset = require(opened, DatasetVersion, spec.name, f"mlops land {spec.name}, then {spec.name}_ingestion")
        with refusals():
            check_code(spec)
            version = build(opened, spec, dataset, run_id=context.run.run_id)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version.digest),
            metadata={
                "dagster/row_count": sum(version.rows.values()),
                "dagster/column_schema": dg.TableSchema(
                    columns=[dg.TableColumn(column.name, column.kind) for column in version.columns]
                ),
                **{f"rows_{part}": rows for part, rows in version.rows.items()},
                "features": len(version.columns),
                "split": dg.MetadataValue.md(_split_table(version.rows)),
                "delta_version": version.table_version,
                "digest": version.digest,
                **versions(dataset=dataset.digest, dataset_delta_version=dataset.table_version),
                "table": dg.MetadataValue.path(opened.table(spec.name, "features")),
            },
            check_results=check_results(spec, STAGE, version.verdicts),
        )

    return features


def _blocking(spec: SystemSpec) -> dict[str, str]:
    return {**CHECKS, NEAR: DECLARED_NEAR} if _near_is_declared(spec) else CHECKS


def _warning(spec: SystemSpec) -> dict[str, str]:
    return WARNINGS if _near_is_declared(spec) else {NEAR: SUSPECTED_NEAR, **WARNINGS}


def _near_is_declared(spec: SystemSpec) -> bool:
    return spec.features.leakage.near_duplicates is not None


def _split_table(rows) -> str:
    total = sum(rows.values())
    lines = (f"| {part} | {count} | {count / total:.1%} |" for part, count in rows.items())
    return "\n".join(["| part | rows | share |", "|---|---|---|", *lines])
