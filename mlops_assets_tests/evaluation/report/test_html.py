from xml.etree import ElementTree

import pytest

from mlops_assets.evaluation.gate_history import ChangedBound
from mlops_assets.evaluation.gates_elsewhere import LooserThanElsewhere
from mlops_assets.evaluation.report.html import render
from mlops_assets.evaluation.report.plots.model_plots import plots
from mlops_assets.evaluation.report.plots.svg import tag, ticks
from mlops_assets.evaluation.report.report import Report
from mlops_assets_tests.evaluation.conftest import HOSTILE, Case
from mlops_assets_tests.evaluation.page import Page


@pytest.fixture(scope="module")
def reports(classification: Case, regression: Case) -> list[Report]:
    return [classification.report(), regression.report()]


@pytest.fixture(scope="module")
def hostile(reports: list[Report]) -> Report:
    """A report in which every text that data or people can set is hostile."""
    text = HOSTILE[0] + HOSTILE[2]
    report = reports[0]
    gate = report.gates[0].model_copy(update={"reason": text, "details": {"traceback": text}})
    item = report.importance.features[0].model_copy(update={"feature": text})
    changed = {
        "description": text,
        "target": text,
        "estimator": text,
        "notes": [text],
        "positive": text,
        "gates": [gate],
        "importance": report.importance.model_copy(update={"features": [item], "note": text}),
        "metrics": [report.metrics[0].model_copy(update={"title": text, "note": text, "value": None}), *report.metrics],
    }
    return report.model_copy(update=changed)


def test_nothing_of_the_data_becomes_markup(hostile: Report) -> None:
    text = render(hostile)
    page = Page(text)
    assert page.open == []
    assert page.named("script") == []
    assert page.named("img") == []
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    shown = "".join(page.texts)
    assert all(name in shown for name in HOSTILE)
    assert any(HOSTILE[0] in (attributes.get("title") or "") for _, attributes in page.elements)


def test_a_page_stands_alone(reports: list[Report]) -> None:
    for report in reports:
        page = Page(render(report))
        assert not {"script", "link", "iframe", "img", "object", "embed"} & {name for name, _ in page.elements}
        assert not [a for _, a in page.elements if {"src", "xlink:href", "action"} & a.keys()]
        assert all((link["href"] or "").startswith("#") for link in page.named("a"))
        policy = [meta["content"] for meta in page.named("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
        assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
        assert "url(" not in render(report)
        assert "@import" not in render(report)


def test_the_first_screen_tells_verdict_reason_and_versions(classification: Case) -> None:
    gates = [
        {"metric": "f1_macro", "at_least": 0.99, "severity": "warn"},
        {"metric": "accuracy", "at_least": 0.999},
        {"metric": "roc_auc", "at_least": 0.5, "min_rows": 5000},
        {"metric": "log_loss", "at_most": 9},
    ]
    report = classification.declared(gates=gates, resamples=200).report()
    shown = " ".join("".join(Page(render(report)).texts).split())
    first = shown[shown.index("Failed This model") : shown.index("Conditions that this model must meet")]
    assert "of the gates that block, 1 failed and 1 could not be evaluated. 2 warnings." in first
    assert "2 failed 2 not evaluated" in first
    order = ["accuracy_at_least blocks accuracy 0.", "f1_macro_at_least warns f1_macro 0."]
    order += ["roc_auc_at_least blocks 150 test rows, the gate needs 5000", "Passed: log_loss_at_most"]
    assert [first.index(text) for text in order] == sorted(first.index(text) for text in order)
    for digest in ("1" * 12, "2" * 12, "3" * 12):
        assert digest in first


def test_what_could_not_be_looked_at_is_told_first_as_well(reports: list[Report]) -> None:
    shown = " ".join("".join(Page(render(reports[0])).texts).split())
    first = shown[: shown.index("Conditions that this model must meet")]
    told = first.partition("Beside the gates, not evaluated: ")[2]
    assert "Prediction intervals (the model has no intervals" in told


def test_changed_bounds_are_a_table_that_flags_the_looser_ones(reports: list[Report]) -> None:
    looser = ChangedBound(gate="accuracy", version=7, then="at least 0.90", now="at least 0.60", loosened=True)
    older = looser.model_copy(update={"version": 5, "then": "at least 0.80"})
    other = ChangedBound(gate="loss", version=7, then="at most 0.50", now="at most 0.40", loosened=False)
    changed = reports[0].model_copy(update={"bounds": [older, looser, other]})
    shown = " ".join(" ".join(Page(render(changed)).texts).split())
    first, _, table = shown.partition("Conditions that this model must meet")
    assert "▲ 1 gate asks for less than of an earlier champion" in first
    assert "accuracy 5 at least 0.80 at least 0.60 ▲ loosened" in table
    assert "accuracy 7 at least 0.90 at least 0.60 ▲ loosened" in table
    assert "loss 7 at most 0.50 at most 0.40 not loosened" in table
    assert "Changed bounds" not in "".join(Page(render(reports[0])).texts)


def test_what_asks_for_less_than_in_another_environment_is_a_table(reports: list[Report]) -> None:
    looser = LooserThanElsewhere(gate="accuracy", environment="prod", there="at least 0.90", here="at least 0.60")
    shown = " ".join(" ".join(Page(render(reports[0].model_copy(update={"elsewhere": [looser]}))).texts).split())
    assert "▲ Less is asked here than in another environment" in shown
    assert "accuracy prod at least 0.90 at least 0.60" in shown
    assert "Other environments" not in "".join(Page(render(reports[0])).texts)


def test_numbers_shown_are_those_of_the_report(reports: list[Report]) -> None:
    for report in reports:
        shown = "".join(Page(render(report)).texts)
        for metric in report.metrics:
            assert metric.value is not None
            assert (f"{metric.value:.3f}" if abs(metric.value) < 100 else f"{metric.value:,.1f}") in shown
        for gate in report.gates:
            assert gate.reason in shown


def test_equal_reports_give_equal_pages(reports: list[Report]) -> None:
    assert render(reports[0]) == render(Report.model_validate_json(reports[0].to_json()))


def test_every_plot_is_well_formed_and_says_what_it_shows(reports: list[Report], hostile: Report) -> None:
    titles = [[title for title, _ in plots(report)] for report in reports]
    assert titles == [
        [
            "Metrics against the baselines",
            "Confusion matrix",
            "ROC curve",
            "Precision and recall",
            "Permutation importance",
        ],
        ["Metrics against the baselines", "Predicted against true", "Residuals", "Permutation importance"],
    ]
    for report in (*reports, hostile):
        for title, svg in plots(report):
            root = ElementTree.fromstring(svg)
            texts = {child.tag.rpartition("}")[2]: child.text for child in root}
            assert texts["title"] == title
            assert texts["desc"]
            assert not [child for child in root.iter() if child.tag.rpartition("}")[2] in ("script", "img")]
            assert "nan" not in svg
            assert len(svg) < 100_000


def test_many_classes_are_a_table_and_not_a_plot(reports: list[Report]) -> None:
    classes = [f"class {index}" for index in range(25)]
    crowded = reports[0].model_copy(update={"classes": classes, "confusion": [[index] * 25 for index in range(25)]})
    assert "Confusion matrix" not in dict(plots(crowded))
    assert "class 24" in "".join(Page(render(crowded)).texts)


def test_an_element_escapes_text_attributes_and_what_xml_forbids() -> None:
    element = tag("text", 'a<b>&"\x00\x1f', fill='"/><script>', stroke_width=1.5, class_="x")
    assert (
        str(element) == '<text fill="&#34;/&gt;&lt;script&gt;" stroke-width="1.5" class="x">a&lt;b&gt;&amp;&#34;</text>'
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-3, 3, [-3, -2, -1, 0, 1, 2, 3]),
        (5, 5, [5]),
        (0, 1e6, [0, 2e5, 4e5, 6e5, 8e5, 1e6]),
    ],
)
def test_ticks_are_round_numbers_within_the_range(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)
