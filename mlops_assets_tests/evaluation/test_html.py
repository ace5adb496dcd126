from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from mlops_assets.evaluation.html import render
from mlops_assets.evaluation.plots import plots
from mlops_assets.evaluation.report import Report
from mlops_assets.evaluation.svg import tag, ticks
from mlops_assets_tests.evaluation.conftest import HOSTILE, Case

VOID = {"meta", "wbr", "br", "img", "link", "input"}


class Page(HTMLParser):
    """Collects elements, attributes and text, and checks that every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == name]


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
        assert not [a for _, a in page.elements if {"src", "href", "xlink:href", "action"} & a.keys()]
        policy = [meta["content"] for meta in page.named("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
        assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
        assert "url(" not in render(report)
        assert "@import" not in render(report)


def test_a_page_is_accessible(reports: list[Report]) -> None:
    for report in reports:
        text = render(report)
        page = Page(text)
        assert page.named("html") == [{"lang": "en"}]
        assert len(page.named("h1")) == 1
        assert len(page.named("caption")) == len(page.named("table"))
        assert all(cell.get("scope") in ("row", "col") for cell in page.named("th"))
        drawn = [svg for svg in page.named("svg") if svg.get("role") == "img"]
        assert len(drawn) >= len(plots(report)) - 1
        assert all(svg.get("aria-label") for svg in drawn)
        assert "prefers-color-scheme: dark" in text
        assert "@media print" in text


def test_the_first_screen_tells_verdict_reason_and_versions(classification: Case) -> None:
    gates = [{"metric": "accuracy", "at_least": 0.999}, {"metric": "f1_macro", "at_least": 0.99, "severity": "warn"}]
    report = classification.declared(gates=gates, resamples=200).report()
    shown = " ".join("".join(Page(render(report)).texts).split())
    first = shown[: shown.index("Conditions that this model must meet")]
    assert "Failed This model will not be registered: accuracy 0." in first
    assert "at least 0.999. 1 warning." in first
    for digest in ("1" * 12, "2" * 12, "3" * 12):
        assert digest in first


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
