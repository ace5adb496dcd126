"""Notes on a draft: what a person should know beyond single columns."""

from collections.abc import Iterator

from mlops_assets.drafting.draft import FEWEST_ROWS, TEST_ROWS, Draft
from mlops_assets.drafting.roles import is_event, repeated_text
from mlops_assets.drafting.yaml_flow import text

FEW_OF_A_CLASS = 50


def notes(draft: Draft) -> list[str]:
    """What a person should know beyond single columns, most pressing first."""
    return [
        *refusals(draft),
        *too_few_rows(draft),
        *small_classes(draft),
        *suspected_leaks(draft),
        *repeated_rows(draft),
        *possible_groups(draft),
        *ungrouped_rows(draft),
        *possible_times(draft),
    ]


def refusals(draft: Draft) -> Iterator[str]:
    """Checks that block a run of the declaration."""
    for refusal in draft.rehearsal.refusals:
        yield f"A run of this declaration is refused by the check {refusal}."


def too_few_rows(draft: Draft) -> Iterator[str]:
    """Whether the test part is too small for a gate."""
    expected = draft.rehearsal.parts["test"] * draft.survey.rows / max(draft.rehearsal.rows, 1)
    if expected < FEWEST_ROWS:
        share = draft.attributes["features"]["split"]["test"]
        yield (
            f"Too few rows to register a version: the test part has {expected:.0f} and a gate needs 30, so it will be "
            f"'not evaluated'. Land about {round(TEST_ROWS / share):,} rows."
        )


def small_classes(draft: Draft) -> Iterator[str]:
    """Classes with few rows."""
    classes = draft.target.classes
    few = {label: rows for label, rows in classes.items() if rows < FEW_OF_A_CLASS}
    if few:
        listed = ", ".join(f"{label!r} ({rows})" for label, rows in few.items())
        yield f"Classes with few rows, of which little can be learned or said: {listed}."


def suspected_leaks(draft: Draft) -> Iterator[str]:
    """Features that say much of the target on their own."""
    for name, reason in draft.rehearsal.suspects.items():
        yield f"Look at {name}: {reason}. If it is known only after the outcome, declare it `post_outcome: true`."


def repeated_rows(draft: Draft) -> Iterator[str]:
    """How many rows repeat an earlier one."""
    rows = draft.survey.sample.height
    if draft.repeats:
        yield (
            f"{draft.repeats:,} of {rows:,} rows ({draft.repeats / rows:.1%}) repeat an earlier one; copies stay in "
            "one part of the split. The check `duplicates` warns above 5 %: `duplicates: {at_most: …}`."
        )


def possible_groups(draft: Draft) -> Iterator[str]:
    """Text by which rows may belong together."""
    if draft.named("group"):
        return
    for name, distinct in repeated_text(draft.survey, draft.columns).items():
        yield f"If rows of one {name} ({distinct:,} distinct) belong together, split by `group: {text(name)}`."


def ungrouped_rows(draft: Draft) -> Iterator[str]:
    """Columns by which rows are alike beyond the group, so that a split cannot keep both together."""
    for column in draft.columns:
        if column.ungrouped:
            yield (
                f"Rows of one {column.name} are alike too, and a split keeps rows of one column together. If it is "
                f"new values of this that the model will meet, split by `group: {text(column.name)}`."
            )


def possible_times(draft: Draft) -> Iterator[str]:
    """Columns by which the rows may be split in time."""
    if draft.named("time"):
        return
    for column in draft.named("excluded"):
        if column.declared["type"] in ("date", "datetime") and is_event(draft.survey, column.name):
            instead = "instead of group" if draft.named("group") else "then the newest rows test"
            yield (
                "If the model will predict rows later than those it learned from, split by "
                f"`time: {text(column.name)}` ({instead})."
            )
