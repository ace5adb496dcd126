"""The split: a row's part follows from what the row is, never from where it stands or what came with it."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import polars as pl

from mlops_assets.dataset.row_hash import row_hash
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.spec import SplitSpec
from mlops_assets.features.split_by_time import choose_boundaries, place
from mlops_assets.features.split_stratification import choose_salt, share_out, strata
from mlops_assets.features.version import EXCLUDED, PARTS, TEST, TRAIN, VALIDATION, SplitPlan


@dataclass(frozen=True, eq=False)
class Identities:
    """Hashes of ``n`` rows, uint64 each."""

    content: np.ndarray
    """Equal for rows that are equal in every raw feature column; the target has no part in it."""
    unit: np.ndarray
    """Equal for rows that must stay together: equal content, one group, or each row on its own."""


def identities(frame: pl.DataFrame, spec: SystemSpec) -> Identities:
    """Hashes of the dataset rows in ``frame`` (raw feature columns or ``_content``, group, ``_batch``, ``_row``)."""
    known = frame["_content"].to_numpy() if "_content" in frame.columns else None
    content = row_hash(frame, spec.feature_columns()) if known is None else known
    return Identities(content, _units(frame, spec.features.split, content))


def plan_digest(split: SplitSpec) -> str:
    """Digest of what decides the parts; a key that a later release adds does not change it while it has its default."""
    declared = {"test": split.test, "validation": split.validation}
    declared |= split.model_dump(mode="json", exclude_defaults=True, exclude={"ungrouped"})
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def choose_plan(frame: pl.DataFrame, spec: SystemSpec, ids: Identities) -> SplitPlan:
    """What the first version of a split decides for ever: the salt, or the boundaries in time."""
    split, target = spec.features.split, frame[spec.dataset.target]
    known = target.is_not_null()
    plan = SplitPlan(system=spec.name, digest=plan_digest(split))
    if split.time:
        validation_from, test_from = choose_boundaries(frame[split.time].filter(known), split)
        return plan.model_copy(update={"validation_from": validation_from, "test_from": test_from})
    if not split.stratify:
        return plan
    labels = strata(target.filter(known), spec.task)
    return plan.model_copy(update={"salt": choose_salt(ids.unit[known.to_numpy()], labels, split)})


def assign(frame: pl.DataFrame, spec: SystemSpec, plan: SplitPlan, ids: Identities) -> np.ndarray:
    """Part of each row, as text: train, validation, test, or excluded.

    Excluded are rows without a target or without the time to split by. Splits by group or time may tear
    equal rows apart; then the copy in the later part is excluded, unless ``identity: row`` asks for copies.

    Example:
        >>> from mlops_assets.declaration.spec import SystemSpec
        >>> columns = {"size": {"type": "integer"}, "price": {"type": "float"}}
        >>> spec = SystemSpec(name="houses", task="regression", dataset={"target": "price", "columns": columns})
        >>> frame = pl.DataFrame({"size": range(500), "price": [float(size % 7) for size in range(500)]})
        >>> ids = identities(frame, spec)
        >>> plan = choose_plan(frame, spec, ids)
        >>> parts = assign(frame, spec, plan, ids)
        >>> {part: int((parts == part).sum()) for part in PARTS}
        {'train': 357, 'validation': 47, 'test': 96, 'excluded': 0}
        >>> later = frame[100:]  # rows taken away move no other row
        >>> bool((assign(later, spec, plan, identities(later, spec)) == parts[100:]).all())
        True
    """
    split = spec.features.split
    codes = place(frame[split.time], plan) if split.time else share_out(ids.unit, plan.salt, split)
    codes[frame[spec.dataset.target].is_null().to_numpy()] = EXCLUDED
    if split.identity == "content":
        codes = _without_copies(codes, ids.content)
    return np.array(PARTS)[codes]


def _units(frame: pl.DataFrame, split: SplitSpec, content: np.ndarray) -> np.ndarray:
    alone = content if split.identity == "content" else row_hash(frame, ["_batch", "_row"])
    if not split.group:
        return alone
    has_group = frame[split.group].is_not_null().to_numpy()
    return np.where(has_group, row_hash(frame, [split.group]), alone)


def _without_copies(codes: np.ndarray, content: np.ndarray) -> np.ndarray:
    for earlier, later in ((TRAIN, (VALIDATION, TEST)), (VALIDATION, (TEST,))):
        rows = np.flatnonzero(np.isin(codes, later))
        copies = np.isin(content[rows], content[codes == earlier])
        codes = codes.copy()
        codes[rows[copies]] = EXCLUDED
    return codes
