"""Format 1 of a stored report: a gate had its side in its name only, a table headings only, and no reason a field."""

from typing import Any

from mlops_assets.evaluation.gate_format import upgraded_gate
from mlops_assets.evaluation.spec import RENAMED_DIAGNOSES

Body = dict[str, Any]
"""Parsed JSON."""

UNKNOWN = "Not evaluated: "
"""How the headline of a diagnosis began that had nothing to say."""
TABLES = (
    ("biases", "predicted from | to | rows | mean error | low | high", "start end rows mean_error low high"),
    (
        "reliability",
        "probability | rows | mean stated | observed share | chance from | chance to",
        "probability rows stated observed chance_low chance_high",
    ),
    ("temperature_scaling", "probabilities | ece | log loss", "probabilities ece log_loss"),
    (
        "segments",
        "segment | rows | coverage | from | to | labels | threshold",
        "segment rows coverage low high size threshold",
    ),
    (
        "segments",
        "segment | rows | coverage | from | to | width | threshold",
        "segment rows coverage low high size threshold",
    ),
    (
        "directions",
        "feature | declared | steps | against | from | to | largest step against | note",
        "feature declared steps against low high worst note",
    ),
    (
        "groups",
        "column | group | rows | selection rate | true positive rate | false positive rate",
        "column group rows selection true_positive false_positive",
    ),
    ("rates", "rate | column | group | of rows | value | low | high", "rate column group rows value low high"),
    ("suspects", "batch | row | given label | likely label | probability", "batch row given likely probability"),
    ("effects", "column | effect in SD", "column effect"),
    ("tests", "test | statistic | p | effect | effect is | rows | note", "test statistic p effect effect_is rows note"),
    ("quantiles", "share below | error | if normal", "share error normal"),
    (
        "losses",
        "perturbation | share | metric | relative loss | low | high | note",
        "perturbation share metric loss low high note",
    ),
    ("steady", "change | share of rows | rows | note", "change share rows note"),
    ("extremes", "column | low | high | share of rows", "column low high share"),
    ("throughput", "rows at a time | rows a second", "size rate"),
    (
        "gaps",
        "slice | origin | rows | loss | loss of the rest | gap | low | high | p | significant",
        "rule origin rows loss rest gap low high p significant",
    ),
)
"""Name, headings and keys of every table that a diagnosis had."""


def upgraded(body: Body) -> Body:
    """The report in format 2."""
    return {
        **body,
        "gates": [upgraded_gate(gate) for gate in body["gates"]],
        "diagnoses": [_diagnosis(diagnosis) for diagnosis in body.get("diagnoses", [])],
    }


def _diagnosis(body: Body) -> Body:
    headline = body["headline"]
    reason = headline.removeprefix(UNKNOWN).removesuffix(".") if headline.startswith(UNKNOWN) else ""
    name = RENAMED_DIAGNOSES.get(body["name"], body["name"])
    return {**body, "name": name, "reason": reason, "tables": [_table(table) for table in body.get("tables", [])]}


def _table(body: Body) -> Body:
    headed = " | ".join(body["columns"])
    known = next((table for table in TABLES if table[1] == headed), None)
    return body if known is None else {**body, "name": known[0], "keys": known[2].split()}
