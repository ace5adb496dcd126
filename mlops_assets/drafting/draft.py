"""The draft: from the survey of a file to a declaration, with the reason of every guess."""

from dataclasses import dataclass, replace

from mlops_assets.declaration.base import Task
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.drafting.column_draft import ColumnDraft, DraftAttributes
from mlops_assets.drafting.column_names import hints
from mlops_assets.drafting.rehearsal import FOREST, Quick, Rehearsal, quick_values, rehearse
from mlops_assets.drafting.roles import draft_columns
from mlops_assets.drafting.survey import Survey
from mlops_assets.drafting.target import Target, choose_target
from mlops_assets.errors import LandingError, SpecError

FEWEST_ROWS = 30
"""Rows with a target below which nothing can be split, checked and judged."""
TEST_ROWS = 36
"""Rows expected in the test part so that the 30 that a gate needs are likely there."""
TEST_SHARES = (0.2, 0.25, 0.3, 0.4)
SMALL = 5_000
"""Rows below which a forest is the safer choice."""
ROUNDS = 8
HIST = {"classification": "HistGradientBoostingClassifier", "regression": "HistGradientBoostingRegressor"}


@dataclass(frozen=True)
class Draft:
    """A declaration that loads, and what a person should know of it."""

    spec: SystemSpec
    attributes: DraftAttributes
    """What the declaration says, in the order of its keys."""
    survey: Survey
    target: Target
    columns: list[ColumnDraft]
    rehearsal: Rehearsal
    quick: Quick | None
    repeats: int
    """Rows of the sample that repeat an earlier one in every declared column."""

    def named(self, role: str) -> list[ColumnDraft]:
        return [column for column in self.columns if column.role == role]


def draft(name: str, survey: Survey, target_column: str, task: Task | None = None, owner: str | None = None) -> Draft:
    """The declaration of a system ``name`` that predicts ``target_column``.

    Raises:
        SpecError: if the target cannot be predicted, or no column is left to predict it from.
        LandingError: if the file has too few rows, or writes numbers in a way that the platform does not read.
    """
    _require_rows(survey, survey.rows, "in all")
    target = choose_target(survey, target_column, task)
    _require_rows(survey, target.rows, "with a target")
    _require_points(survey)
    sample = survey.sample
    if target.type != survey.columns[target.name].type:
        from mlops_assets.dataset.reading.parsing import parsed

        sample = sample.with_columns(parsed(sample[target.name], "integer"))
        survey = replace(survey, sample=sample)
    columns = draft_columns(survey, target)
    columns, rehearsal, attributes = _rehearsed(name, survey, target, columns, owner)
    spec = SystemSpec.model_validate(attributes)
    quick = quick_values(rehearsal, spec, _reported(target))
    declared = sample.select([column for column in spec.dataset.columns if column in sample.columns])
    repeats = declared.height - declared.n_unique()
    return Draft(spec, attributes, survey, target, columns, rehearsal, quick, repeats)


def _require_rows(survey: Survey, rows: int, which: str) -> None:
    if rows < FEWEST_ROWS:
        raise LandingError(
            f"{survey.file!r} has {rows:,} {'row' if rows == 1 else 'rows'} {which}; a split, its checks and a gate "
            f"need at least {FEWEST_ROWS}, better {round(TEST_ROWS / TEST_SHARES[0])}. Remedy: bring more rows"
        )


def _require_points(survey: Survey) -> None:
    commas = [name for name, facts in survey.columns.items() if facts.obstacle == "decimal comma"]
    if commas:
        raise LandingError(
            f"{survey.file!r} writes numbers with commas in {', '.join(map(repr, commas))}, which are read as text. "
            "Remedy: save the file with decimal points and without thousands separators (in Excel: Options, Advanced, "
            "'Use system separators' off), then start again"
        )


def _rehearsed(
    name: str, survey: Survey, target: Target, columns: list[ColumnDraft], owner: str | None
) -> tuple[list[ColumnDraft], Rehearsal, DraftAttributes]:
    """Leave out what the platform's checks accuse and keep together what they find alike, until nothing is left."""
    left = ROUNDS
    while True:
        attributes = _attributes(name, survey, target, columns, owner)
        rehearsal = rehearse(_with_features(attributes, columns), survey.sample)
        accused = {accusation.column: accusation.reason for accusation in rehearsal.accusations}
        left -= 1
        if not (accused or rehearsal.groups) or not left:
            return columns, rehearsal, attributes
        columns = [column.left_out(accused[column.name]) if column.name in accused else column for column in columns]
        columns = _kept_together(columns, rehearsal.groups)


def _kept_together(columns: list[ColumnDraft], groups: dict[str, str]) -> list[ColumnDraft]:
    """The split keeps rows of the first of ``groups`` together; whatever is alike beyond a group stays ungrouped."""
    if any(column.role == "group" for column in columns):
        return [replace(column, ungrouped=column.ungrouped or column.name in groups) for column in columns]
    alike = [column for column in columns if column.name in groups]
    first = min(alike, key=lambda column: (_measures(column), list(groups).index(column.name)), default=None)
    return [
        replace(column.left_out(groups[column.name]), role="group") if column is first else column for column in columns
    ]


def _measures(column: ColumnDraft) -> bool:
    """Whether a column may be a measurement rather than a name of what rows belong to."""
    named = hints(column.name, "id") or hints(column.name, "entity")
    return column.role == "feature" and column.declared.get("type") != "string" and not named


def _with_features(attributes: DraftAttributes, columns: list[ColumnDraft]) -> SystemSpec:
    if not any(column.role == "feature" for column in columns):
        reasons = "; ".join(f"{c.name!r}: {c.why}" for c in columns if c.role != "target")
        raise SpecError(f"no column is left to make features from. {reasons}. Remedy: add columns to the file")
    return SystemSpec.model_validate(attributes)


def _attributes(
    name: str, survey: Survey, target: Target, columns: list[ColumnDraft], owner: str | None
) -> DraftAttributes:
    """The declaration in the order in which the shipped ones are written; what has its default is left out."""
    features = sum(column.role == "feature" for column in columns)
    return {
        "name": name,
        "description": f"Predicts {target.name} from {features} of the {len(survey.columns)} columns of {survey.file}.",
        **({"owners": [owner]} if owner else {}),
        "task": target.task,
        "dataset": _dataset(survey, target, columns),
        "features": _features(target, columns),
        "model": _model(survey, target, columns),
        "evaluation": {
            "gates": [{"check": "beats_baseline", "metric": target.metric}],
            **({"positive": target.positive} if target.positive is not None else {}),
        },
        "registry": {"metric": target.metric},
    }


def _dataset(survey: Survey, target: Target, columns: list[ColumnDraft]) -> DraftAttributes:
    key = [column.name for column in columns if column.role == "key"]
    return {
        "target": target.name,
        **({"key": key} if key else {}),
        **({"format": {"null_values": survey.null_values}} if survey.null_values else {}),
        "columns": {column.name: column.declared for column in columns if column.role != "undeclared"},
        "volume": {"min_rows": _fewest(survey.rows)},
    }


def _fewest(rows: int) -> int:
    """Half of the rows, with two significant digits."""
    half = max(rows // 2, FEWEST_ROWS)
    step = 10 ** max(len(str(half)) - 2, 0)
    return half // step * step


def _features(target: Target, columns: list[ColumnDraft]) -> DraftAttributes:
    excluded = [column.name for column in columns if column.role == "excluded"]
    categorical = [column.name for column in columns if column.role == "feature" and column.categorical]
    group = next((column.name for column in columns if column.role == "group"), None)
    ungrouped = [column.name for column in columns if column.ungrouped]
    time = next((column.name for column in columns if column.role == "time"), None)
    test = next((share for share in TEST_SHARES if target.rows * share >= TEST_ROWS), TEST_SHARES[0])
    return {
        **({"exclude": excluded} if excluded else {}),
        **({"categorical": categorical} if categorical else {}),
        "split": {
            "test": test,
            "validation": 0.1,
            **({"group": group} if group else {}),
            **({"ungrouped": ungrouped} if ungrouped else {}),
            **({"time": time} if time else {}),
        },
    }


def _model(survey: Survey, target: Target, columns: list[ColumnDraft]) -> DraftAttributes:
    log = {"target_transform": "log"} if target.log else {}
    wide = any(_categories(survey, column) > 20 for column in columns if column.role == "feature")
    rare = {"categorical": {"min_frequency": 10}} if wide else {}
    if target.rows < SMALL:
        estimator = f"sklearn.ensemble.{FOREST[target.task]}"
        params: dict[str, float] = {"n_estimators": 200, "min_samples_leaf": 2}
    else:
        estimator = f"sklearn.ensemble.{HIST[target.task]}"
        # A tree of each round is grown for every class of more than two.
        rounds = 300 if len(target.classes) <= 2 else 100
        params = {"learning_rate": 0.06, "max_iter": rounds, "max_leaf_nodes": 15}
    return {"estimator": estimator, "params": params, **log, **rare}


def _categories(survey: Survey, column: ColumnDraft) -> int:
    """Columns that one-hot encoding makes of it; 1 for a number."""
    counts = survey.columns[column.name].counts
    return len(counts or ()) if column.categorical or column.declared.get("type") == "string" else 1


def _reported(target: Target) -> list[str]:
    """Metrics that a quick model is judged by, the primary one first."""
    if target.task == "regression":
        return [target.metric, "r2"]
    return list(dict.fromkeys([target.metric, "balanced_accuracy"]))
