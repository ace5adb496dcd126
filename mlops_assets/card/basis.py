"""The card's basis: data, contract, features and training, from the records."""

from collections import Counter
from typing import TYPE_CHECKING

from mlops_assets.card.document import Block, CardTable, CardText, Cell, Facts, Section, listed, verdicts
from mlops_assets.features.version import PARTS
from mlops_assets.metrics.formatting import bound_text
from mlops_assets.model.environment import LOADING

if TYPE_CHECKING:
    from mlops_assets.card.dossier import Dossier
    from mlops_assets.dataset.spec import ColumnSpec

MOST_BATCHES = 50
MOST_INPUTS = 200
CHANGED = (
    "The declaration or the platform's release has changed since this version was trained. What is shown here as "
    "declared is the declaration of today; the records below it are those of this version."
)


def data(known: "Dossier") -> Section:
    """The dataset version, its batches, and what was kept out of it."""
    dataset = known.dataset
    broken: Counter[str] = Counter()
    for batch in known.batches:
        broken.update(batch.violations)
    facts: list[tuple[str, Cell]] = [
        ("Dataset digest", dataset.digest),
        ("Delta version", dataset.table_version),
        ("Rows", dataset.rows),
        ("Batches", dataset.batches),
        ("Newest batch landed", f"{dataset.newest_landed_at:%Y-%m-%d %H:%M} UTC"),
        ("Rows in quarantine", dataset.quarantined),
        ("Rows that repeat an earlier row", dataset.duplicates),
    ]
    blocks: list[Block] = [Facts(items=facts), _batches(known)]
    if broken:
        rows: list[list[Cell]] = [[rule, count] for rule, count in broken.most_common(20)]
        blocks.append(CardTable(caption="Rows in quarantine by broken rule", columns=["Rule", "Rows"], rows=rows))
    ignored = sorted({name for batch in known.batches for name in batch.ignored_columns})
    if ignored:
        blocks.append(CardText(label="Columns of the files that were ignored", text=listed(ignored)))
    if dataset.verdicts:
        blocks.append(verdicts("Checks of this dataset version", dataset.verdicts))
    return Section(title="Data", blocks=blocks)


def contract(known: "Dossier") -> Section:
    """What every row had to meet."""
    declared, used = known.spec.dataset, set(known.features.names)
    columns = ["Column", "Type", "May be empty", "Allowed", "Unit", "Role", "Meaning"]
    rows: list[list[Cell]] = [
        [
            name,
            column.type,
            "yes" if column.nullable else "no",
            _allowed(column),
            column.unit,
            _role(known, name, column, used),
            column.description,
        ]
        for name, column in declared.columns.items()
    ]
    rule = f"A row that breaks it goes to quarantine; a batch with more than {declared.max_quarantined:.0%} such rows "
    blocks: list[Block] = [CardText(text=f"{rule}is rejected whole."), *_changed(known)]
    return Section(
        title="Contract",
        blocks=[*blocks, CardTable(caption="Columns, as declared", columns=columns, rows=rows)],
    )


def features(known: "Dossier") -> Section:
    """Model inputs, and who trains, validates and tests."""
    version, declared = known.features, known.spec.features
    facts: list[tuple[str, Cell]] = [
        ("Features digest", version.digest),
        ("Delta version", version.table_version),
        ("Target", version.target),
        *([("Classes", listed(version.classes))] if version.classes else []),
        *((f"Rows: {part}", version.rows[part]) for part in PARTS if version.rows.get(part)),
        *(
            (f"{kind.capitalize()} inputs", listed(names, MOST_INPUTS))
            for kind, names in _inputs(known).items()
            if names
        ),
        ("Engineered by", declared.engineer or "nothing: columns are used as they are"),
        ("Split", _split(known)),
    ]
    blocks: list[Block] = [Facts(items=facts), *_changed(known)]
    if version.verdicts:
        blocks.append(verdicts("Checks of this features version", version.verdicts))
    return Section(title="Features and split", blocks=blocks)


def training(known: "Dossier") -> Section:
    """Estimator, parameters, environment and code."""
    model, registered = known.model, known.registered
    facts: list[tuple[str, Cell]] = [
        ("Model digest", model.digest),
        ("Estimator", model.estimator),
        ("Seed", model.seed),
        ("Train rows", model.train_rows),
        ("Seconds of fitting", model.seconds),
        ("Calibration", _calibration(known)),
        *([("Decision", model.decision.sentence)] if model.decision else []),
        ("Prediction intervals", model.intervals_note or "none"),
        ("ONNX copy", model.onnx_note or "none"),
        ("Commit of the platform", model.git_commit or "unknown: not trained in a checkout"),
        ("Commit of the declaration", model.owner_commits.get("declaration") or "unknown: git does not keep it"),
        *((f"Commit of {name}", commit) for name, commit in sorted(model.owner_commits.items()) if "." in name),
        ("Code version", model.code_version or "unknown"),
        ("MLflow model", model.uri),
        ("MLflow run", model.mlflow_run_id),
        ("Dagster run that registered it", (registered.run_id if registered else "") or "unknown"),
    ]
    params: list[list[Cell]] = [[name, str(value)] for name, value in sorted(model.params.items())]
    blocks: list[Block] = [Facts(items=facts)]
    if params:
        blocks.append(CardTable(caption="Parameters of the estimator", columns=["Parameter", "Value"], rows=params))
    return Section(title="Training", blocks=[*blocks, _environment(known)])


def _inputs(known: "Dossier") -> dict[str, list[str]]:
    columns = known.features.columns
    return {kind: [column.name for column in columns if column.kind == kind] for kind in ("numeric", "categorical")}


def _batches(known: "Dossier") -> CardTable:
    newest = known.batches[-MOST_BATCHES:]
    rows: list[list[Cell]] = [
        [
            batch.digest,
            batch.original,
            f"{batch.landed_at:%Y-%m-%d %H:%M}",
            batch.rows,
            batch.accepted,
            batch.quarantined,
        ]
        for batch in newest
    ]
    which = "Batches" if len(newest) == len(known.batches) else f"The newest {MOST_BATCHES} of {len(known.batches):,}"
    columns = ["Batch (SHA-256 of the file)", "File", "Landed (UTC)", "Rows", "Accepted", "Quarantined"]
    return CardTable(caption=f"{which}, each an immutable file", columns=columns, rows=rows)


def _allowed(column: "ColumnSpec") -> str:
    rules = []
    if column.min is not None or column.max is not None:
        low, high = (_bound(bound) for bound in (column.min, column.max))
        rules.append(f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}")
    if column.allowed is not None:
        rules.append(f"one of {listed(column.allowed)}")
    if column.pattern is not None:
        rules.append(f"matches {column.pattern}")
    if column.unique:
        rules.append("unique")
    return "; ".join(rules) or "any"


def _bound(bound: object) -> str:
    return "" if bound is None else bound_text(bound) if isinstance(bound, float) else str(bound)


def _role(known: "Dossier", name: str, column: "ColumnSpec", used: set[str]) -> str:
    declared, split = known.spec, known.spec.features.split
    roles = {
        "target": name == known.features.target,
        "key": name in declared.dataset.key,
        "group": name == split.group,
        "time": name == split.time,
        "protected": name in declared.evaluation.protected_columns,
        "known only after the outcome": column.post_outcome,
        "feature": name in used,
        "made into features": name in declared.feature_columns() and name not in used,
    }
    return ", ".join(role for role, applies in roles.items() if applies) or "not used"


def _split(known: "Dossier") -> str:
    split = known.spec.features.split
    shares = f"{split.test:.0%} test, {split.validation:.0%} validation"
    if split.time:
        return f"by {split.time}: the oldest rows train, the newest test"
    if split.group:
        return f"by group {split.group}, whose rows stay together; {shares}"
    kept = "copies of a row stay together" if split.identity == "content" else "each row on its own"
    return f"by a stable hash, {kept}; {shares}{', stratified' if split.stratify else ''}"


def _calibration(known: "Dossier") -> str:
    model = known.model
    if model.calibration_note:
        return model.calibration_note
    return model.calibration if model.calibration == "none" else f"{model.calibration} on {model.calibration_rows} rows"


def _environment(known: "Dossier") -> Block:
    if known.environment_note:
        return CardText(label="Environment", text=f"not known: {known.environment_note}")
    own = known.model.estimator.replace(":", ".").split(".")[0]
    shown = [name for name in ("mlops-assets", *LOADING, own) if name in known.environment]
    rows: list[list[Cell]] = [[name, known.environment[name]] for name in dict.fromkeys(shown)]
    caption = f"Libraries of the training run; all {len(known.environment)} are in environment.txt of the MLflow run"
    return CardTable(caption=caption, columns=["Library", "Version"], rows=rows)


def _changed(known: "Dossier") -> list[Block]:
    return [] if known.unchanged else [CardText(label="Note", text=CHANGED)]
