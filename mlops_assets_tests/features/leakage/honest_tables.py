"""Honest tables: real rows with the declaration that they deserve, and those of many patients without it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl

from mlops_assets.features.assembly import Assembly, assemble
from mlops_assets.features.split import choose_plan, identities
from mlops_assets_tests.features.conftest import Declare


class Table(NamedTuple):
    """Rows, and what is declared of them."""

    rows: pd.DataFrame
    target: str
    task: str = "regression"
    features: dict[str, Any] = {}


SCIKIT = {"iris": "classification", "wine": "classification", "breast_cancer": "classification"} | {
    "digits": "classification",
    "diabetes": "regression",
}
STATSMODELS: dict[str, tuple[Any, ...]] = {
    "anes96": ("vote", "classification"),
    "cancer": ("cancer",),
    "ccard": ("AVGEXP",),
    "copper": ("WORLDCONSUMPTION",),
    "danish_data": ("lrm",),
    "elnino": ("DEC",),
    "engel": ("foodexp",),
    "fair": ("affairs",),
    "grunfeld": ("invest", "regression", {"split": {"group": "firm"}}),
    "heart": ("survival",),
    "interest_inflation": ("Dp",),
    "macrodata": ("realgdp",),
    "modechoice": ("choice", "classification", {"split": {"group": "individual"}}),
    "nile": ("volume",),
    "randhie": ("mdvis",),
    "scotland": ("YES",),
    "spector": ("GRADE", "classification"),
    "star98": ("NABOVE",),
    "statecrime": ("murder",),
    "strikes": ("duration",),
    "sunspots": ("SUNACTIVITY",),
}


def libraries() -> Iterator[tuple[str, Table]]:
    """Tables that scikit-learn and statsmodels bring along."""
    import statsmodels.api as sm
    from sklearn import datasets

    for name, task in SCIKIT.items():
        rows = getattr(datasets, f"load_{name}")(as_frame=True).frame
        yield name, Table(rows, "target", task)
    for name, declared in STATSMODELS.items():
        yield name, Table(getattr(sm.datasets, name).load_pandas().data, *declared)


def shared(folder: Path) -> Iterator[tuple[str, Table]]:
    """Tables of the shared folder."""
    credit = pd.read_csv(folder / "credit_uci_default" / "UCI_Credit_Card.csv")
    yield "credit", Table(credit, "default.payment.next.month", "classification", {"exclude": ["ID"]})
    yield "house_seed002", Table(pd.read_csv(folder / "house_seed002" / "house_data.csv"), "price")
    for name, file in (("king_county", "kc_house_data.csv"), ("king_county_messy", "kc_house_data_NaN.csv")):
        sales = pd.read_csv(folder / name / file).drop(columns="Unnamed: 0", errors="ignore")
        sales = sales.assign(zipcode=sales["zipcode"].astype(str), date=pd.to_datetime(sales["date"].str[:8]))
        yield name, Table(sales, "price", "regression", {"exclude": ["date"], "split": {"group": "id"}})
    people = pd.read_csv(folder / "personality_s5e7" / "train.csv")
    yield "personality", Table(people, "Personality", "classification", {"exclude": ["id"]})
    songs = {"exclude": ["name", "album", "id", "release_date"], "split": {"group": "artist"}}
    yield "spotify", Table(pd.read_csv(folder / "spotify_moods" / "data_moods.csv"), "mood", "classification", songs)
    for colour in ("red", "white"):
        wines = pd.read_csv(folder / "wine_quality" / f"winequality-{colour}.csv")
        yield f"wine_{colour}", Table(wines, "quality")
        yield f"wine_{colour}_good", Table(wines.assign(quality=wines["quality"] >= 6), "quality", "classification")


def assembled(declare: Declare, table: Table) -> Assembly:
    """The rows split and made features of, as a run does it."""
    frame = pl.from_pandas(table.rows.rename(columns=str))
    whole = [name for name, dtype in frame.schema.items() if dtype.is_integer()]
    frame = frame.with_columns(pl.col(whole).cast(pl.Int64), pl.col(pl.Float32).cast(pl.Float64))
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
    if table.task == "classification" and frame[table.target].dtype == pl.Float64:
        frame = frame.with_columns(pl.col(table.target).cast(pl.Int64))
    spec = declare(frame, table.target, table.task, features=table.features)
    rows = frame.with_columns(pl.lit("b").alias("_batch"), pl.int_range(pl.len(), dtype=pl.Int64).alias("_row"))
    ids = identities(rows, spec)
    return assemble(rows, ids, choose_plan(rows, spec, ids), spec)


def patients(seed: int, people: int = 200, visits: int = 10) -> Table:
    """Visits of patients, in a kind of dependence and a form of the column ``patient`` that ``seed`` chooses."""
    rng = np.random.default_rng(1000 + seed)
    kind, form, width = seed % 5, seed // 5 % 4, 3 + 3 * (seed // 5 % 4)
    who = np.repeat(np.arange(people), visits)
    own, noise = rng.normal(size=(people, width))[who], rng.normal(size=(len(who), width))
    label = rng.integers(0, 3, people)[who]
    if kind == 0:
        values, target = own + 0.05 * noise, label
    elif kind == 1:
        values = 0.6 * own + 0.8 * noise
        target = (values[:, 0] + rng.normal(size=len(who)) > 0).astype(int)
    elif kind == 2:
        values, target = noise, rng.normal(size=people)[who] + noise[:, 0] + rng.normal(size=len(who))
    elif kind == 3:
        values, target = noise + 0.5 * own, label
    else:
        values = noise.copy()
        values[:, 0] = 0.8 * own[:, 0] + 0.6 * noise[:, 0]
        target = noise[:, 1] + rng.normal(size=len(who))
    drawn = rng.permutation(90_000)[:people]
    names: Any = ([f"p{i:03d}" for i in range(people)], range(people), drawn, [f"{i:06x}" for i in drawn])[form]
    frame = pd.DataFrame({f"m{i}": column.round(4) for i, column in enumerate(values.T)})
    frame = frame.assign(patient=np.array(names)[who], y=target).sample(frac=1, random_state=seed, ignore_index=True)
    task = "regression" if kind in (2, 4) else "classification"
    return Table(frame, "y", task, {"exclude": ["patient"]} if seed % 2 else {})
