"""Assembly: the pieces of a features version, put together in memory and checked."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import polars as pl

from mlops_assets.dataset.digest import require_digest
from mlops_assets.dataset.row_hash import cell_sums, hash_of, row_hash
from mlops_assets.dataset.table import DatasetTable, read_dataset
from mlops_assets.dataset.version import DatasetVersion
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.errors import SpecError
from mlops_assets.features.degenerate_features import no_degenerate
from mlops_assets.features.leakage.known_rows import KnownRows
from mlops_assets.features.leakage.near_duplicates import no_near_duplicates
from mlops_assets.features.leakage.overlap import no_overlap
from mlops_assets.features.leakage.suspected_duplicates import no_suspected_duplicates
from mlops_assets.features.leakage.target_leakage import no_leakage, no_target
from mlops_assets.features.leakage.target_proxy import no_proxy
from mlops_assets.features.leakage.train_sample import TrainSample, train_sample
from mlops_assets.features.leakage.undeclared_groups import no_undeclared_groups
from mlops_assets.features.part_sizes import enough_rows
from mlops_assets.features.split import Identities, assign
from mlops_assets.features.transform import feature_kinds, require_row_wise, transform
from mlops_assets.features.unit_change import rescaled
from mlops_assets.features.version import PARTS, FeatureColumn, Label, Part, SplitPlan
from mlops_assets.storage.storage import Storage
from mlops_assets.verdict import Verdict


@dataclass(frozen=True, eq=False)
class Assembly:
    """Features of ``n`` rows with their parts; what is published of them follows from it."""

    spec: SystemSpec
    rows: pl.DataFrame
    """Dataset rows, ordered by ``_batch`` and ``_row``."""
    ids: Identities
    parts: np.ndarray
    features: pd.DataFrame

    @property
    def columns(self) -> list[FeatureColumn]:
        return feature_kinds(self.features)

    @property
    def counts(self) -> dict[Part, int]:
        return {part: int((self.parts == part).sum()) for part in PARTS}

    @property
    def classes(self) -> list[Label] | None:
        if self.spec.task == "regression":
            return None
        return self._target.filter(self._train).unique().sort().to_list()

    @property
    def verdicts(self) -> list[Verdict]:
        """Every check of this version; the blocking ones first."""
        shown = self._train_sample
        return [
            self._overlap,
            self._groups,
            self._near_duplicates,
            no_leakage(shown),
            no_target(list(self.features.columns), self.spec),
            self._degenerate,
            no_proxy(shown),
            enough_rows(self.table, self.spec),
        ]

    @property
    def _overlap(self) -> Verdict:
        split = self.spec.features.split
        times = self.rows[split.time] if split.time else None
        return no_overlap(self.parts, self.ids.content, self.ids.unit if split.group else None, times)

    @property
    def _groups(self) -> Verdict:
        used = np.flatnonzero(self.parts != "excluded")
        rows = self.rows if len(used) == self.rows.height else self.rows[used]
        return no_undeclared_groups(rows, self.ids.unit[used], self.spec)

    @property
    def _near_duplicates(self) -> Verdict:
        tolerance = self.spec.features.leakage.near_duplicates
        if tolerance is None:
            return no_suspected_duplicates(self.features, self.parts, self.ids.unit, self.rows)
        return no_near_duplicates(self.features, self.parts, self.rows, tolerance)

    @property
    def _degenerate(self) -> Verdict:
        used = self.parts != "excluded"
        odd = rescaled(self.rows.filter(pl.Series(used)), self.spec)
        return no_degenerate(self.features.loc[used], self._train[used], self._complete[used], odd)

    @cached_property
    def table(self) -> pl.DataFrame:
        """Features, target, context as ``@name``, and the row columns."""
        context = [_context(self.rows[name]) for name in self.spec.context_columns()]
        row_columns = [
            pl.Series("_identity", self.ids.unit.view(np.int64)),
            pl.Series("_part", self.parts),
            self.rows["_batch"],
            self.rows["_row"],
        ]
        return pl.from_pandas(self.features).with_columns(self._target, *context, *row_columns)

    @property
    def _target(self) -> pl.Series:
        return self.rows[self.spec.dataset.target]

    @cached_property
    def _train(self) -> np.ndarray:
        return self.parts == "train"

    @property
    def _train_sample(self) -> TrainSample:
        others = ~self._train & (self.parts != "excluded")
        features, outcomes, content = self.features, self._outcomes, self.ids.content
        return train_sample(
            features.loc[self._train],
            outcomes[self._train],
            content[self._train],
            self.spec,
            self._times,
            KnownRows(features.loc[others], outcomes[others], content[others]),
        )

    @property
    def _times(self) -> np.ndarray | None:
        """When each train row was, as a number, where the split is by time."""
        time = self.spec.features.split.time
        return None if time is None else self.rows[time].filter(self._train).to_physical().cast(pl.Float64).to_numpy()

    @property
    def _outcomes(self) -> np.ndarray:
        """Target of all rows as numbers; classes as positions in their order, 0 where there is none."""
        if self.spec.task == "regression":
            return self._target.to_numpy()
        return self._target.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()

    @property
    def _complete(self) -> np.ndarray:
        empty = pl.any_horizontal(pl.col(self.spec.feature_columns()).is_null())
        return ~self.rows.select(empty.alias("empty"))["empty"].to_numpy()


def assemble(rows: pl.DataFrame, ids: Identities, plan: SplitPlan, spec: SystemSpec) -> Assembly:
    """Features and parts of the dataset rows.

    Raises:
        SpecError: if the declared function is not pure and row-wise, or makes a feature named like the target.
    """
    raw = rows.select(spec.feature_columns()).to_pandas()
    features = transform(raw, spec)
    require_row_wise(raw, features, spec)
    if spec.dataset.target in features:
        raise SpecError(f"features.engineer {spec.features.engineer!r} returned the target {spec.dataset.target!r}")
    return Assembly(spec, rows, ids, assign(rows, spec, plan, ids), features)


def read_rows(storage: Storage, spec: SystemSpec, dataset: DatasetVersion) -> pl.DataFrame:
    """Rows of exactly this dataset version, by batch and row, with the target in the type that models learn from.

    Declared columns that no feature is made from are among them: they may say which rows belong together.

    ``_content`` is the hash of the raw feature columns, which checking the rows has made.

    Raises:
        StorageError: if any cell of the version, read or not, is not what was accepted.
    """
    target = spec.dataset.target
    whole = read_dataset(storage, dataset)
    used = spec.feature_columns()
    others = [name for name in spec.dataset.columns if name in whole.columns]
    names = dict.fromkeys([*used, target, *spec.context_columns(), *others])
    sums = cell_sums(whole, used)
    rest = cell_sums(whole, [name for name in whole.columns if name not in used and not name.startswith("_")])
    batches = DatasetTable.at(storage, dataset.system, dataset.table_version).members()
    require_digest(whole, hash_of(sums + rest), dataset, batches)
    rows = whole.select([*names, "_batch", "_row"]).with_columns(_content=pl.Series(hash_of(sums)))
    rows = rows.with_columns(pl.col(name).fill_nan(None) for name in names if rows[name].dtype.is_float())
    return rows.with_columns(learnable(rows[target], spec))


def raw_rows(storage: Storage, spec: SystemSpec, dataset: DatasetVersion) -> pl.DataFrame:
    """The columns that ``spec`` makes features from, with ``_batch`` and ``_row``, of exactly this dataset version.

    Raises:
        SpecError: if the dataset has no such columns.
        StorageError: if any cell of the version is not what was accepted.
    """
    whole, used = read_dataset(storage, dataset), spec.feature_columns()
    hashes = row_hash(whole, [name for name in whole.columns if not name.startswith("_")])
    require_digest(whole, hashes, dataset, DatasetTable.at(storage, dataset.system, dataset.table_version).members())
    lacking = [name for name in used if name not in whole.columns]
    if lacking:
        raise SpecError(f"the dataset has no {lacking!r}")
    rows = whole.select([*used, "_batch", "_row"])
    return rows.with_columns(pl.col(name).fill_nan(None) for name in used if rows[name].dtype.is_float())


def learnable(target: pl.Series, spec: SystemSpec) -> pl.Series:
    """The target as float64 for regression; as truth, int64 or text for classification.

    Raises:
        SpecError: if the target's type does not fit the task.
    """
    numeric = target.dtype.is_numeric()
    if spec.task == "regression" and numeric:
        return target.cast(pl.Float64)
    if spec.task == "classification" and numeric and (target.drop_nulls() % 1 == 0).all():
        return target.cast(pl.Int64)
    if spec.task == "classification" and target.dtype in (pl.Boolean, pl.String):
        return target
    allowed = "a number" if spec.task == "regression" else "text, a truth value or a whole number"
    raise SpecError(f"dataset.target {target.name!r} holds {target.dtype}; for {spec.task} it must be {allowed}")


def _context(values: pl.Series) -> pl.Series:
    moments = values.cast(pl.Datetime("us")) if values.dtype == pl.Date else values
    return moments.alias(f"@{values.name}")
