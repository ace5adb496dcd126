"""Honest tables: real data of scikit-learn, statsmodels and the shared folder, in which no feature is known to leak."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import polars as pl

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.features.assembly import Assembly, assemble
from mlops_assets.features.split import choose_plan, identities
from mlops_assets.verdict import Verdict
from mlops_assets_tests.features.conftest import declared

Task = Literal["classification", "regression"]
Derive = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class HonestTable:
    """Where a table comes from, and what is predicted from the rest of it."""

    source: str
    """``sklearn:NAME``, ``statsmodels:NAME``, or a file below the shared folder."""
    target: str
    task: Task
    away: tuple[str, ...] = ()
    """Columns that are no features: identifiers, dates, open text, other outcomes."""
    derive: Derive | None = None

    @property
    def name(self) -> str:
        return f"{self.source.replace(':', '/').rpartition('/')[2].removesuffix('.csv')} {self.target}"

    def read(self, shared: Path) -> pd.DataFrame:
        """Features and target."""
        table = _read(self.source, shared).copy()
        return (self.derive(table) if self.derive else table).drop(columns=list(self.away))


@cache
def _read(source: str, shared: Path) -> pd.DataFrame:
    library, _, name = source.rpartition(":")
    if library == "sklearn":
        import sklearn.datasets

        return getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    if library == "statsmodels":
        import statsmodels.api

        return getattr(statsmodels.api.datasets, name).load_pandas().data
    return pd.read_csv(shared / source)


def _with(**columns: Callable[[pd.DataFrame], Any]) -> Derive:
    return lambda table: table.assign(**columns)


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_axis(["cultivar" if i == 13 else f"c{i}" for i in range(14)], axis=1)


TRACK = ("name", "album", "artist", "id", "release_date")
HOUSE = ("id", "date")
HONEST = [
    HonestTable("sklearn:breast_cancer", "target", "classification"),
    HonestTable("sklearn:diabetes", "target", "regression"),
    HonestTable("sklearn:digits", "target", "classification"),
    HonestTable("sklearn:iris", "target", "classification"),
    HonestTable("sklearn:linnerud", "Weight", "regression"),
    HonestTable("sklearn:wine", "target", "classification"),
    HonestTable("statsmodels:anes96", "vote", "classification"),
    HonestTable("statsmodels:cancer", "cancer", "regression"),
    HonestTable("statsmodels:ccard", "AVGEXP", "regression"),
    HonestTable("statsmodels:copper", "COPPERPRICE", "regression"),
    HonestTable("statsmodels:danish_data", "lrm", "regression"),
    HonestTable("statsmodels:elnino", "DEC", "regression"),
    HonestTable("statsmodels:engel", "foodexp", "regression"),
    HonestTable(
        "statsmodels:fair", "affair", "classification", ("affairs",), _with(affair=lambda t: (t.affairs > 0) * 1)
    ),
    HonestTable("statsmodels:fair", "affairs", "regression"),
    HonestTable("statsmodels:grunfeld", "invest", "regression"),
    HonestTable("statsmodels:heart", "survival", "regression"),
    HonestTable("statsmodels:interest_inflation", "Dp", "regression"),
    HonestTable("statsmodels:macrodata", "unemp", "regression"),
    HonestTable("statsmodels:modechoice", "choice", "classification", ("individual",)),
    HonestTable("statsmodels:nile", "volume", "regression"),
    HonestTable("statsmodels:randhie", "mdvis", "regression"),
    HonestTable("statsmodels:scotland", "YES", "regression"),
    HonestTable("statsmodels:spector", "GRADE", "classification"),
    HonestTable("statsmodels:stackloss", "STACKLOSS", "regression"),
    HonestTable("statsmodels:star98", "NABOVE", "regression"),
    HonestTable("statsmodels:statecrime", "murder", "regression"),
    HonestTable("statsmodels:strikes", "duration", "regression"),
    HonestTable("wine_quality/winequality-red.csv", "quality", "regression"),
    HonestTable("wine_quality/winequality-white.csv", "quality", "classification"),
    HonestTable(
        "wine_quality/winequality-white.csv",
        "good",
        "classification",
        ("quality",),
        _with(good=lambda t: t.quality > 5),
    ),
    HonestTable("wine_cultivar/wine.csv", "cultivar", "classification", derive=_numbered),
    HonestTable("house_seed002/house_data.csv", "price", "regression"),
    HonestTable("king_county/kc_house_data.csv", "price", "regression", HOUSE),
    HonestTable("king_county_messy/kc_house_data_NaN.csv", "price", "regression", ("Unnamed: 0", *HOUSE)),
    HonestTable("credit_uci_default/UCI_Credit_Card.csv", "default.payment.next.month", "classification", ("ID",)),
    HonestTable("spotify_moods/data_moods.csv", "mood", "classification", TRACK),
    HonestTable("personality_s5e7/train.csv", "Personality", "classification", ("id",)),
]
SMALL = [table for table in HONEST if ":" in table.source or "wine" in table.source or "house_seed" in table.source]
"""Those of some thousand rows at most, randhie apart."""


def judged(table: pd.DataFrame, target: str, task: str, **features: Any) -> dict[str, Verdict]:
    """The checks of the features of ``table``, split as a run splits it, by name."""
    return {verdict.name: verdict for verdict in assembly(table, target, task, **features).verdicts}


def assembly(table: pd.DataFrame, target: str, task: str, **features: Any) -> Assembly:
    """Features of ``table``, split as a run splits it."""
    rows = _rows(table, target, task)
    spec: SystemSpec = declared(rows, target, task, features=features)
    ids = identities(rows, spec)
    return assemble(rows, ids, choose_plan(rows, spec, ids), spec)


def named(table: pd.DataFrame, target: str, task: str, **features: Any) -> set[str]:
    """Features that ``no_leakage`` refuses or ``no_proxy`` warns of."""
    return set(_named(judged(table, target, task, **features)))


def _named(verdicts: dict[str, Verdict]) -> Iterator[str]:
    for name in ("no_leakage", "no_proxy"):
        yield from verdicts[name].details.get("columns", [])


def _rows(table: pd.DataFrame, target: str, task: str) -> pl.DataFrame:
    rows = pl.from_pandas(table.reset_index(drop=True), nan_to_null=True)
    rows = rows.with_columns(pl.col(name).cast(pl.Int64) for name in rows.columns if rows[name].dtype.is_integer())
    kind = pl.Float64 if task == "regression" else pl.Int64
    if rows[target].dtype != pl.String:
        rows = rows.with_columns(pl.col(target).cast(kind))
    return rows.with_columns(pl.lit("b").alias("_batch"), pl.int_range(rows.height, dtype=pl.Int64).alias("_row"))
