"""The dataset asset: every landed batch is read once, checked, and appended or rejected."""

import dagster as dg

from mlops_assets.asset import CodeCheck, check, check_results, refusals, stage_asset
from mlops_assets.dataset.version import BatchOutcome, DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.resources.storage import StorageResource
from mlops_assets.storage.storage import Storage

STAGE = "dataset"


def dataset_asset(spec: SystemSpec, check_code: CodeCheck) -> dg.AssetsDefinition:
    """The asset ``[<system>, "dataset"]``; ``check_code`` goes before the work."""

    @stage_asset(
        spec,
        STAGE,
        description=f"Accepted rows of {spec.name}: a Delta table, one atomic append per landed batch. "
        "Rows that break the contract are in quarantine with the reason.",
        kinds={"deltalake", "polars"},
        checks=_checks(spec),
        parts=("dataset",),
    )
    def dataset(context: dg.AssetExecutionContext, storage: StorageResource) -> dg.MaterializeResult:
        from mlops_assets.dataset.checks import contract_verdict
        from mlops_assets.dataset.ingestion import ingest
        from mlops_assets.dataset.landing import refused

        opened = storage.open()
        with refusals():
            if not context.run.job_name.endswith("_ingestion"):
                check_code(spec)
            ingestion = ingest(
                opened,
                spec,
                run_id=context.run.run_id,
                on_progress=lambda file, rows: context.log.info(f"{file}: {rows} rows read"),
            )
        for name, what in refused(opened, spec.name).items():
            context.log.warning(f"{name!r} in the landing zone is {what}. Remedy: mlops land {spec.name} FILE")
        for outcome in ingestion.outcomes:
            context.log.info(_summary(outcome))
        contract = contract_verdict(ingestion.outcomes)
        version = ingestion.version
        if version is None:
            raise dg.Failure(_empty(spec, contract.reason if ingestion.outcomes else ""), allow_retries=False)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(f"{version.table_version}-{version.digest}"),
            metadata={
                "dagster/row_count": version.rows,
                "dagster/column_schema": _schema(spec),
                "batches": version.batches,
                "quarantined_rows": version.quarantined,
                "newest_batch": dg.MetadataValue.timestamp(version.newest_landed_at),
                "delta_version": version.table_version,
                "digest": version.digest,
                "profile": dg.MetadataValue.md(_profile(opened, spec, version)),
                "batches_of_this_run": dg.MetadataValue.md(_batches(ingestion.outcomes)),
                "table": dg.MetadataValue.path(opened.table(spec.name, "dataset")),
                "target": spec.dataset.target,
            },
            check_results=check_results(spec, STAGE, [contract, *version.verdicts]),
        )

    return dataset


def _empty(spec: SystemSpec, rejected: str) -> str:
    return rejected or f"No batch is in the dataset. Remedy: mlops land {spec.name} [FILE…]"


def _checks(spec: SystemSpec) -> list[dg.AssetCheckSpec]:
    declared = spec.dataset
    checks = [
        check(spec, STAGE, "contract", "Every batch offered to this run met the contract."),
        check(spec, STAGE, "duplicates", "Share of rows that repeat an earlier row.", declared.duplicates.severity),
        check(spec, STAGE, "volume", "Number of rows is as expected.", declared.volume.severity),
    ]
    if declared.freshness:
        checks.append(check(spec, STAGE, "freshness", "Age of the newest batch.", declared.freshness.severity))
    return checks


def _schema(spec: SystemSpec) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                column.type,
                description=" ".join(filter(None, [column.description, f"[{column.unit}]" if column.unit else ""]))
                or None,
                constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=column.unique),
            )
            for name, column in spec.dataset.columns.items()
        ]
    )


def _profile(storage: Storage, spec: SystemSpec, version: DatasetVersion) -> str:
    from mlops_assets.dataset.profile import profile, to_markdown
    from mlops_assets.dataset.table import sample_dataset

    columns = list(spec.dataset.columns)
    return to_markdown(profile(sample_dataset(storage, version, columns), columns, rows=version.rows))


def _batches(outcomes: list[BatchOutcome]) -> str:
    if not outcomes:
        return "Nothing new had landed."
    head = "| batch | outcome | rows | accepted | quarantined |\n|---|---|---|---|---|"
    rows = (f"| `{o.digest[:12]}` | {o.outcome} | {o.rows} | {o.accepted} | {o.quarantined} |" for o in outcomes)
    return "\n".join([head, *rows])


def _summary(outcome: BatchOutcome) -> str:
    summary = (
        f"Batch {outcome.digest[:12]} ({outcome.original}): {outcome.outcome}, {outcome.accepted} of {outcome.rows}"
    )
    return f"{summary} rows. {outcome.reason}"
