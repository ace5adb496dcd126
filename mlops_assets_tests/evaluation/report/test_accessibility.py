"""The report for those who listen to it, look at it without colours, print it, or know other alphabets."""

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.assessment import assess, subject_of
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.plots.model_plots import plots
from mlops_assets.evaluation.report.report import Report
from mlops_assets.features.table import Parts
from mlops_assets.features.version import FeatureColumn, FeaturesVersion, SplitPlan
from mlops_assets.model.fitted_model import FittedModel
from mlops_assets.model.prediction_intervals import Intervals
from mlops_assets_tests.evaluation.conftest import Case
from mlops_assets_tests.evaluation.page import Page

CHROMIUM = shutil.which("chromium")
STRANGE = [
    "<script>alert(1)</script>",
    "=cmd()",
    "x" * 300,
    "עברית <b>שלום</b>",
    "👩‍👩‍👧 & \"quotes' \u202e reversed",
]
CONTRASTS = [
    *((text, under) for text in ("ink", "muted", "accent") for under in ("surface", "page")),
    *((state, under) for state in ("passed", "failed", "open") for under in ("surface", f"{state}-soft")),
    *((text, "cell") for text in ("ink",)),
]


@pytest.fixture(scope="module")
def strange() -> Report:
    """Column names, class labels, and values of slices and groups that try to break a page."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(7)
    rows = pd.DataFrame({name: rng.normal(size=600) for name in STRANGE[:3]})
    rows[STRANGE[3]] = np.array(STRANGE, dtype=object)[rng.integers(0, 5, 600)]
    rows["goal"] = np.where(rows[STRANGE[0]] + rng.normal(size=600) > 0, STRANGE[0], STRANGE[4])
    rows[f"@{STRANGE[4]}"] = np.array(STRANGE, dtype=object)[rng.integers(0, 5, 600)]
    names = STRANGE[:4]
    encoded = make_column_transformer((OneHotEncoder(), [STRANGE[3]]), remainder="passthrough")
    model = make_pipeline(encoded, LogisticRegression()).fit(rows.loc[:299, names], rows.loc[:299, "goal"])
    validation, test = (part.reset_index(drop=True) for part in (rows.loc[300:399], rows.loc[400:]))
    classes = sorted(rows["goal"].unique())
    columns = {name: {"type": "float"} for name in STRANGE[:3]}
    columns |= {name: {"type": "string"} for name in (*STRANGE[3:], "goal")}
    spec = SystemSpec.model_validate(
        {
            "name": "plant",
            "task": "classification",
            "description": STRANGE[0],
            "dataset": {"target": "goal", "columns": columns},
            "evaluation": {
                "resamples": 200,
                "positive": STRANGE[4],
                "protected": [STRANGE[4]],
                "monotone": {STRANGE[0]: "decreasing"},
                "gates": [
                    {"metric": "accuracy", "at_least": 0.9, "slice": {"column": STRANGE[4], "equals": STRANGE[0]}}
                ],
            },
        }
    )
    features = FeaturesVersion(
        system="plant",
        digest="2" * 64,
        dataset_digest="3" * 64,
        dataset_table_version=1,
        table_version=1,
        columns=[FeatureColumn(name=n, kind="categorical" if n == STRANGE[3] else "numeric") for n in names],
        target="goal",
        classes=classes,
        rows={"train": 300, "validation": 100, "test": 200, "excluded": 0},
        plan=SplitPlan(system="plant", digest="6" * 64),
    )
    intervals = Intervals(coverage=0.9, sets="least_ambiguous", by="none", rows=100, threshold=0.7)
    fitted = FittedModel("1" * 64, model, {}, intervals)
    subject = replace(subject_of(spec, features, Parts(validation, validation, test), fitted), train=None)
    return assess(subject, fitted.baseline_predictions(subject.inputs))


@pytest.fixture(scope="module")
def pages(classification: Case, regression: Case, strange: Report) -> list[tuple[Report, Page]]:
    reports = [classification.report(), regression.report(), strange]
    return [(report, Page(render(report))) for report in reports]


def test_strange_values_stay_text(strange: Report) -> None:
    page = Page(render(strange))
    assert page.open == []
    assert not {"script", "b"} & {name for name, attributes in page.elements if attributes}
    assert page.named("script") == []
    shown = "".join(page.texts)
    assert all(value.replace("\u202e", r"\u202e") in shown for value in STRANGE)
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert {"fairness", "slices", "conformal"} <= {one.name for one in strange.diagnoses}


def test_strange_values_stand_apart_from_the_words_around_them(strange: Report) -> None:
    """Right-to-left text must not turn its neighbours: it is isolated, and marks that override are spelt out."""
    page = Page(render(strange))
    assert "\u202e" not in render(strange)
    assert not [svg for _, svg in plots(strange) if "\u202e" in svg]
    assert len(page.named("bdi")) > 20
    named = [text for text in page.named("text") if "isolated" in (text.get("class") or "")]
    assert len(named) > 5


def test_headings_go_down_one_level_at_a_time(pages: list[tuple[Report, Page]]) -> None:
    for _, page in pages:
        assert page.named("html") == [{"lang": "en"}]
        levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_contents_lead_to_every_section_and_nowhere_else(pages: list[tuple[Report, Page]]) -> None:
    for report, page in pages:
        ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))
        links = [(link["href"] or "")[1:] for link in page.named("a")]
        assert set(links) <= set(ids)
        sections = [section["aria-labelledby"] for section in page.named("section")]
        assert [link for link in dict.fromkeys(links) if link in sections] == sections
        assert len(sections) >= 4 + len(report.diagnoses)


def test_every_figure_has_a_name_and_says_what_it_shows(pages: list[tuple[Report, Page]]) -> None:
    for report, page in pages:
        assert len(page.named("figure")) == len(page.named("figcaption")) >= len(plots(report)) - 1
        drawn = [svg for svg in page.named("svg") if svg.get("role") == "img"]
        assert all(len(svg.get("aria-label") or "") > 20 for svg in drawn)
        bare = [
            around
            for (name, attributes), around in zip(page.elements, page.inside, strict=True)
            if name == "svg" and attributes.get("role") != "img" and "p" not in around
        ]
        assert bare == []


def test_every_table_has_a_caption_and_heads_with_a_scope(pages: list[tuple[Report, Page]]) -> None:
    for _, page in pages:
        assert len(page.named("caption")) == len(page.named("table"))
        assert len(page.named("summary")) == len(page.named("details"))
        cells = zip(page.elements, page.inside, strict=True)
        scopes = {(attributes.get("scope"), "thead" in around) for (name, attributes), around in cells if name == "th"}
        assert scopes == {("col", True), ("row", False)}


def test_a_verdict_is_told_by_word_and_not_by_colour_alone(pages: list[tuple[Report, Page]]) -> None:
    for report, page in pages:
        shown = " ".join("".join(page.texts).split())
        marks = {"passed": "✓ passed", "failed": "✕ failed", "not evaluated": "? not evaluated"}
        for gate in report.gates:
            assert marks[gate.outcome] in shown


def test_text_contrasts_by_four_and_a_half_to_one_in_light_dark_and_print(regression: Case) -> None:
    text = render(regression.report())
    found = [dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", text, re.S)]
    assert len(found) == 3
    for colours in found:
        colours = {**found[0], **colours}
        low = {pair: _contrast(*(colours[one] for one in pair)) for pair in CONTRASTS}
        assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


def _contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2)."""
    light = sorted((_luminance(one), _luminance(other)))
    return (light[1] + 0.05) / (light[0] + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_page_is_light(pages: list[tuple[Report, Page]]) -> None:
    for report, _ in pages:
        assert len(render(report).encode()) < 400_000


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_shows_and_prints_strange_values_without_complaint(strange: Report, tmp_path: Path) -> None:
    page, paper = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(render(strange), encoding="utf-8")
    shown = _browse(tmp_path, "--dump-dom", page.as_uri())
    assert "CONSOLE" not in shown.stderr
    assert shown.stdout.count("<section") == len(Page(render(strange)).named("section"))
    _browse(tmp_path, f"--print-to-pdf={paper}", page.as_uri())
    assert paper.read_bytes().startswith(b"%PDF")


def _browse(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    assert CHROMIUM is not None
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={home / 'me'}"]
    return subprocess.run([CHROMIUM, *quiet, *arguments], capture_output=True, text=True, timeout=60, check=True)
