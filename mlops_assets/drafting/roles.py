"""Roles: what each column other than the target is for, judged by its name and its values."""

from dataclasses import replace

import polars as pl

from mlops_assets.dataset.reading.parsing import parsed
from mlops_assets.drafting.column_draft import ColumnDraft, DraftAttributes
from mlops_assets.drafting.column_facts import YEARS, ColumnFacts
from mlops_assets.drafting.column_names import hints
from mlops_assets.drafting.ranges import bounds
from mlops_assets.drafting.survey import Survey
from mlops_assets.drafting.target import Target

MOST_CATEGORIES = 100
"""Text with more distinct values is open: names, places, remarks."""
ROWS_PER_CATEGORY = 10
CLOSED = 20
"""Categories up to which a list can be complete."""
ROWS_PER_ALLOWED = 20
NEARLY_EMPTY = 0.95
FEWEST_GROUPS = 50
LARGEST_GROUP = 0.2
FEWEST_TIMES = 30
MOST_CODES = 100
ROWS_PER_CODE = 30


def draft_columns(survey: Survey, target: Target) -> list[ColumnDraft]:
    """Every column of the file, in its order."""
    undeclared = [ColumnDraft(name, "undeclared", why=why) for name, why in survey.unreadable.items()]
    columns = [
        _target(survey, target) if name == target.name else _column(survey, facts, target)
        for name, facts in survey.columns.items()
    ]
    return _one_time(_one_group(_one_key(columns), survey), survey, target) + undeclared


def _target(survey: Survey, target: Target) -> ColumnDraft:
    facts = survey.columns[target.name]
    declared = _typed(facts, target.type)
    if target.task == "regression":
        declared |= bounds(facts.low, facts.high, target.type, positive=target.log)
    elif target.type != "boolean":
        declared["allowed"] = list(target.classes)
    return ColumnDraft(target.name, "target", declared, f"{target.task}: {target.why}")


def _typed(facts: ColumnFacts, kind: str | None = None) -> DraftAttributes:
    return {"type": kind or facts.type, **({"nullable": True} if facts.missing else {})}


def _column(survey: Survey, facts: ColumnFacts, target: Target) -> ColumnDraft:
    if facts.type is None:
        return ColumnDraft(facts.name, "undeclared", why=facts.obstacle)
    column = ColumnDraft(facts.name, "feature", _typed(facts))
    empty = facts.missing / facts.rows
    if facts.name.casefold() == target.name.casefold():
        return column.left_out("named like the target")
    if facts.counts is not None and len(facts.counts) < 2 and not facts.missing:
        return column.left_out(f"the one value {next(iter(facts.counts))!r} in every row")
    if empty >= NEARLY_EMPTY:
        return column.left_out(f"empty in {empty:.1%} of the rows")
    if facts.type in ("date", "datetime"):
        return _moment(column, facts)
    if _names_rows(facts):
        return _identifier(column, facts, survey)
    return _text(column, facts) if facts.type == "string" else _number(column, facts)


def _moment(column: ColumnDraft, facts: ColumnFacts) -> ColumnDraft:
    span = f"{facts.low:%Y-%m-%d} … {facts.high:%Y-%m-%d}"
    return column.left_out(f"a {facts.type} ({span}); features.engineer can make numbers of it")


def _names_rows(facts: ColumnFacts) -> bool:
    """Whether name or values are those of an identifier; measurements never are."""
    if facts.type in ("float", "boolean"):
        return False
    if facts.unique and facts.type == "string" and facts.present >= 20:
        return True
    return hints(facts.name, "id") or (hints(facts.name, "entity") and facts.counts is None)


def _identifier(column: ColumnDraft, facts: ColumnFacts, survey: Survey) -> ColumnDraft:
    if facts.unique:
        if hints(facts.name, "id") and not facts.missing and facts.present > 1:
            return replace(column.left_out("an identifier, different in every row"), role="key")
        return column.left_out("different in every row that has one: it names rows")
    if facts.counts is not None and len(facts.counts) < FEWEST_GROUPS:
        coded = hints(facts.name, "id") or facts.type == "string"
        return _text(column, facts) if facts.type == "string" else _number(column, facts, coded=coded)
    sizes = survey.sample[facts.name].drop_nulls().value_counts(name="rows")["rows"]
    groups, largest = len(sizes), int(sizes.max() or 0)  # pyright: ignore[reportArgumentType] a count
    counts = f"{_about(groups, survey)} values, the most frequent in {_about(largest, survey)} rows"
    if largest > LARGEST_GROUP * survey.sample.height:
        return column.left_out(f"an identifier: {counts}")
    return replace(column.left_out(f"an identifier that repeats: {counts}"), role="group")


def _text(column: ColumnDraft, facts: ColumnFacts) -> ColumnDraft:
    if facts.obstacle:
        return column.left_out(facts.obstacle)
    if facts.counts is None:
        return column.left_out("open text: thousands of distinct values")
    distinct = len(facts.counts)
    if distinct > MOST_CATEGORIES or distinct * ROWS_PER_CATEGORY > facts.present:
        return column.left_out(f"open text: {distinct:,} distinct values in {facts.present:,} rows")
    if _is_closed(facts):
        return _allowing(column, facts, f"{distinct} categories, none of them seen only once")
    return replace(column, why=f"{distinct} categories, not taken for a complete list")


def _is_closed(facts: ColumnFacts) -> bool:
    """Whether the values can be all there are: few, and none seen only once.

    The share of values seen once estimates the chance that the next row brings a new one (Good, 1953).
    """
    counts = facts.counts or {}
    return 1 not in counts.values() and 0 < len(counts) <= CLOSED and len(counts) * ROWS_PER_ALLOWED <= facts.present


def _allowing(column: ColumnDraft, facts: ColumnFacts, why: str) -> ColumnDraft:
    kind = column.declared["type"]
    allowed = parsed(pl.Series("values", list(facts.counts or ())), kind).unique().sort().to_list()
    return replace(column, declared={**column.declared, "allowed": allowed}, why=why)


def _number(column: ColumnDraft, facts: ColumnFacts, coded: bool = False) -> ColumnDraft:
    if facts.type == "boolean":
        return replace(column, why="true or false")
    distinct = len(facts.counts or ())
    whole = facts.type == "integer" and distinct > 0
    if whole and distinct == 2 and _is_closed(facts):
        return _allowing(column, facts, "two whole numbers")
    if (
        whole
        and (coded or hints(facts.name, "nominal"))
        and 2 < distinct <= min(MOST_CODES, facts.present / ROWS_PER_CODE)
    ):
        coded_column = replace(column, categorical=True)
        why = f"{distinct} whole numbers under a name that says category"
        return _allowing(coded_column, facts, why) if _is_closed(facts) else replace(coded_column, why=why)
    limits = bounds(facts.low, facts.high, str(facts.type))
    if hints(facts.name, "year") and facts.whole and limits.get("max", 0) > YEARS[-1] >= facts.high >= YEARS[0]:
        limits["max"] = YEARS[-1]
    why = f"{distinct} whole numbers, taken in their order" if whole and distinct <= 15 else "number"
    return replace(column, declared=column.declared | limits, why=why)


def _one_key(columns: list[ColumnDraft]) -> list[ColumnDraft]:
    """The first identifier is the key: one column is enough, and more would only reject rows."""
    first = next((column.name for column in columns if column.role == "key"), None)
    return [
        column.left_out(f"{column.why}, as {first!r} is") if column.role == "key" and column.name != first else column
        for column in columns
    ]


def _one_group(columns: list[ColumnDraft], survey: Survey) -> list[ColumnDraft]:
    """The identifier with the fewest values keeps its rows together: the others mostly lie within it."""
    sizes = {c.name: survey.sample[c.name].n_unique() for c in columns if c.role == "group"}
    if not sizes:
        return columns
    chosen = min(sizes, key=lambda name: sizes[name])
    return [
        column.left_out(f"{column.why}; a candidate for group: as {chosen!r} is")
        if column.role == "group" and column.name != chosen
        else column
        for column in columns
    ]


def _one_time(columns: list[ColumnDraft], survey: Survey, target: Target) -> list[ColumnDraft]:
    """A split by time where the file itself is a record in order of time and nothing is grouped."""
    candidates = [c for c in columns if c.declared.get("type") in ("date", "datetime") and c.role == "excluded"]
    in_order = [column for column in candidates if _is_log(survey, column.name)]
    if (
        not in_order
        or any(column.role == "group" for column in columns)
        or not _survives(survey, in_order[0].name, target)
    ):
        return columns
    chosen = in_order[0]
    reason = f"the rows stand in its order ({survey.sample[chosen.name].n_unique():,} distinct times)"
    return [replace(column, role="time", why=reason) if column is chosen else column for column in columns]


def is_event(survey: Survey, name: str) -> bool:
    """Whether a column of dates can say when a row came about."""
    facts = survey.columns[name]
    return hints(name, "event_time") and not facts.missing and survey.sample[name].n_unique() >= FEWEST_TIMES


def _is_log(survey: Survey, name: str) -> bool:
    return is_event(survey, name) and survey.sample[name].is_sorted()


def _survives(survey: Survey, time: str, target: Target) -> bool:
    """Whether every class occurs among the oldest rows, which train, and the newest, which test."""
    if target.task == "regression":
        return True
    labels = survey.sample.sort(time)[target.name].drop_nulls()
    cuts = int(len(labels) * 0.7), int(len(labels) * 0.8)
    return labels[: cuts[0]].n_unique() == labels[cuts[1] :].n_unique() == labels.n_unique()


def _about(count: int, survey: Survey) -> str:
    return f"{count:,}" + (" (of a sample)" if survey.sampled else "")


def repeated_text(survey: Survey, columns: list[ColumnDraft]) -> dict[str, int]:
    """Open text whose values repeat, such as an artist's name: its distinct values, as a candidate for a group."""
    candidates: dict[str, int] = {}
    for column in columns:
        facts = survey.columns.get(column.name)
        if facts is None or facts.type != "string" or column.role != "excluded" or hints(column.name, "event_time"):
            continue
        values = survey.sample[column.name].drop_nulls()
        if values.is_duplicated().sum() >= 0.1 * len(values) and values.n_unique() >= FEWEST_GROUPS:
            candidates[column.name] = values.n_unique()
    return candidates


def protected(columns: list[ColumnDraft]) -> list[str]:
    """Columns by which people must often not be treated differently."""
    return [c.name for c in columns if c.role in ("feature", "excluded") and hints(c.name, "protected") and c.declared]
