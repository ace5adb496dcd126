"""The model card: filled from the evidence, marked where a person must write, and safe to open."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from mlops_assets.card.card import Card, filled, model_card
from mlops_assets.card.document import PERSON, CardPoints, CardTable, CardText, Facts
from mlops_assets.card.dossier import Dossier, dossier
from mlops_assets.card.page import markdown, to_html, to_markdown
from mlops_assets.card.spec import CardSpec
from mlops_assets.cli import app
from mlops_assets.errors import StorageError
from mlops_assets.evaluation.diagnosis import Table as Numbers
from mlops_assets.evaluation.version import EvaluationReport
from mlops_assets.registry.session import RegistrySession
from mlops_assets_tests.evaluation.page import Page
from mlops_assets_tests.platform import Platform, changed
from mlops_assets_tests.wine import WINE

CHROMIUM = shutil.which("chromium")
STRANGE = [
    "<script>alert(1)</script>",
    "=cmd()|calc",
    "[click](javascript:alert(1)) ![x](http://x.example/y.png)",
    "`code` *bold* __init__ ~~gone~~ $x$ # title",
    "\"><img src=x onerror='alert(2)'>",
]


def shown(text: str) -> str:
    """What a reader of the page sees."""
    return " ".join("".join(Page(text).texts).split())


def rendered(text: str) -> str:
    """Markdown as GitHub renders it, HTML in it included."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def tables(card: Card) -> list[CardTable | Facts | CardPoints]:
    return [
        one for section in card.sections for one in section.blocks if isinstance(one, CardTable | Facts | CardPoints)
    ]


@pytest.fixture
def known(session: RegistrySession) -> Dossier:
    return dossier(session, 2)


def hostile(known: Dossier) -> Dossier:
    """Every text that data or people can set is hostile."""
    text = "\n".join(STRANGE)
    columns = {name: {"type": "float", "description": text, "unit": text} for name in STRANGE}
    dataset = known.spec.dataset.model_dump(exclude_unset=True)
    spec = changed(
        known.spec,
        description=text,
        owners=[text],
        dataset={**dataset, "columns": {**dataset["columns"], **columns}},
        card=dict.fromkeys(CardSpec.model_fields, text),
    )
    report = known.report
    gate = report.gates[0].model_copy(update={"name": text, "reason": text})
    slices = next(one for one in report.diagnoses if one.name == "conformal")
    told = slices.model_copy(update={"headline": text, "notes": STRANGE, "title": text})
    altered: dict[str, Any] = {
        "gates": [gate, *report.gates],
        "per_class": [row.model_copy(update={"label": text}) for row in report.per_class],
        "diagnoses": [told],
        "notes": STRANGE,
    }
    return replace(
        known,
        spec=spec,
        report=report.model_copy(update=altered),
        features=known.features.model_copy(update={"classes": STRANGE, "target": STRANGE[1]}),
        batches=[one.model_copy(update={"original": text, "violations": {text: 3}}) for one in known.batches],
        entries=[replace(one, reason=text, actor=text) for one in known.entries],
        model=known.model.model_copy(update={"params": {text: text}, "git_commit": text}),
        environment={},
        environment_note=text,
    )


def test_the_card_says_what_the_records_say(known: Dossier):
    card = filled(known)
    model, report = known.model, known.report
    for text in (shown(to_html(card)), to_markdown(card)):
        for digest in (model.digest, model.intervals_digest, known.version.digest, known.dataset.digest):
            assert digest and digest in text
        for wanted in (f"{known.dataset.rows}", model.estimator, model.mlflow_run_id, "again.csv", "mg/l"):
            assert wanted in text
        assert all(batch.digest in text for batch in known.batches)
        assert all(metric.title in text for metric in report.metrics)
        assert all(entry.hash[:12] in text for entry in known.own_entries)
        assert "no legal assessment" in text
    page = shown(to_html(card))
    assert all(gate.reason in page for gate in report.gates)
    assert all(entry.reason in page for entry in known.own_entries)
    assert "Champion since" in page
    missing = {
        row[0]: row[1] for one in tables(card) if isinstance(one, CardTable) for row in one.rows if len(row) == 2
    }
    assert missing["Fairness"] == "not declared for this system"
    assert missing["Slices"] == "too few test rows for a slice and its rest."
    assert Card.model_validate_json(card.model_dump_json()) == card


def test_the_card_of_an_earlier_champion_says_until_when(session: RegistrySession):
    card = model_card(session, 1)
    assert not card.champion
    assert card.standing.startswith("Champion until ")
    [reign] = [one for one in tables(card) if isinstance(one, CardTable) and one.caption == "When it was champion"]
    assert [row[0] for row in reign.rows] == [1]
    assert reign.rows[0][3] == "promoted"
    [data] = [
        one for section in card.sections if section.title == "Data" for one in section.blocks if one.kind == "facts"
    ]
    assert dict(data.items)["Rows"] == 178, "the second batch came later"


def test_what_nobody_wrote_is_marked_and_what_somebody_wrote_is_quoted(known: Dossier):
    card = filled(known)
    assert card.missing == len(CardSpec.model_fields)
    marks = [one for section in card.sections for one in section.blocks if one.kind == "missing"]
    assert {one.key for one in marks} == {f"card.{key}" for key in CardSpec.model_fields}
    assert shown(to_html(card)).count(PERSON) == to_markdown(card).count(PERSON) > len(marks)
    texts = {key: f"Told about {key}." for key in CardSpec.model_fields}
    full = replace(known, spec=changed(known.spec, card=texts))
    assert full.unchanged == known.unchanged, "a text of the card makes no other model"
    written = filled(full)
    assert written.missing == 0
    for page in (shown(to_html(written)), to_markdown(written)):
        assert PERSON not in page
        assert all(text in page for text in texts.values())


def test_the_example_of_the_guide_is_a_declaration(known: Dossier):
    guide = Path(__file__).parents[2] / "docs" / "model_card.md"
    [block] = re.findall(r"```yaml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    declared = yaml.safe_load(block)
    card = filled(replace(known, spec=changed(known.spec, **declared)))
    assert card.missing == len(CardSpec.model_fields) - len(declared["card"])


def test_every_point_of_the_annex_is_answered_or_marked(known: Dossier):
    card = filled(known)
    [block] = [one for one in tables(card) if isinstance(one, CardPoints)]
    numbers = [point.number for point in block.points]
    assert [number for number in numbers if "(" not in number] == ["3", "4", "5", "6", "7", "8", "9"]
    assert [number[2] for number in numbers if number.startswith(("1(", "2("))] == [*"abcdefgh", *"abcdefgh"]
    assert all(point.evidence or point.missing for point in block.points)
    assert {title for point in block.points for title in point.sections} <= {one.title for one in card.sections}
    page = Page(to_html(card))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(link["href"] or "")[1:] for link in page.named("a")} <= set(ids)


def test_the_limits_name_every_slice_that_is_significantly_worse(known: Dossier):
    rows = [[f"hue = {number}", 0.01 if number < 15 else 0.9, "worse" if number < 15 else "no"] for number in range(30)]
    keys, columns = ["rule", "p", "significant"], ["slice", "p", "significant"]
    table = Numbers(name="gaps", title="Slices by gap", keys=keys, columns=columns, rows=rows)
    diagnoses = [
        one.model_copy(update={"headline": "15 of 30 are worse.", "tables": [table]}) if one.name == "slices" else one
        for one in known.report.diagnoses
    ]
    card = filled(replace(known, report=known.report.model_copy(update={"diagnoses": diagnoses})))
    [limits] = [section for section in card.sections if section.title == "Limits"]
    [worse] = [one for one in limits.blocks if isinstance(one, CardTable) and "significantly worse" in one.caption]
    assert worse.rows == rows[:15]
    assert "15 of 30 are worse." in [one.text for one in limits.blocks if isinstance(one, CardText)]


def test_a_changed_report_is_an_error_and_no_card(session: RegistrySession, home: Platform):
    record = home.storage.records.find(EvaluationReport, WINE, session.version(2).digest)
    assert record is not None
    [path] = (home.folder / "artifacts").rglob(f"{record.report_uri.split('/')[1]}/**/report.json")
    path.write_text(path.read_text().replace("0.95", "0.99"))
    with pytest.raises(StorageError, match="it was changed"):
        model_card(session, 2)


def test_a_lost_list_of_libraries_is_told_and_no_obstacle(session: RegistrySession, home: Platform, known: Dossier):
    assert known.environment["scikit-learn"] in to_markdown(filled(known))
    [path] = (home.folder / "artifacts").rglob(f"{known.model.mlflow_run_id}/**/environment.txt")
    path.unlink()
    assert "**Environment.** not known: MLflow has no artefact at" in to_markdown(model_card(session, 2))


def test_hostile_texts_stay_text_in_html_and_in_markdown(known: Dossier):
    card = filled(hostile(known))
    pages = [Page(to_html(card)), Page(rendered(to_markdown(card)))]
    for page in pages:
        assert page.open == []
        assert not {"script", "img", "del", "iframe"} & {name for name, _ in page.elements}
        assert all((link["href"] or "").startswith("#") for link in page.named("a"))
        assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
        text = " ".join(" ".join(page.texts).split())
        assert all(strange in text for strange in STRANGE)
        levels = [name for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
        assert levels == ["h1", *["h2"] * (len(levels) - 1)]
    policy = [meta["content"] for meta in pages[0].named("meta") if meta.get("http-equiv")]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_every_table_of_the_markdown_has_its_columns_in_every_row(known: Dossier):
    for card in (filled(known), filled(hostile(known))):
        text = to_markdown(card)
        assert rendered(text).count("<table>") == len(tables(card)) + 1
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {line.count("|") for line in block.splitlines()}
            assert len(widths) == 1, block


@pytest.mark.parametrize(
    "text",
    [
        "1. item",
        "- item",
        "+ item",
        "---",
        "===",
        "___",
        "> quote",
        "    code",
        "www.x.example",
        "a_b_c _d_",
        "&lt;b&gt;",
    ],
)
def test_markdown_shows_exactly_the_text(text: str):
    page = Page(rendered(f"{markdown(text)}\n"))
    assert [name for name, _ in page.elements] == ["p"]
    assert "".join(page.texts).strip() == text.strip()


def test_the_command_writes_both_files_of_the_champion(
    session: RegistrySession, home: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("DAGSTER_HOME", str(home.folder))
    files = {"--html": tmp_path / "card.html", "--markdown": tmp_path / "card.md"}
    answer = CliRunner().invoke(app, ["card", WINE, *(str(part) for pair in files.items() for part in pair)])
    assert answer.exit_code == 0, answer.output
    assert "The card of wine_quality version 2 is in" in answer.output
    assert files["--html"].read_text(encoding="utf-8").startswith("<!doctype html>")
    assert files["--markdown"].read_text(encoding="utf-8").startswith("# Model card: Wine quality, version 2\n")
    story = json.loads(CliRunner().invoke(app, ["card", WINE, "1", "--json"]).stdout)
    assert (story["version"], story["champion"]) == (1, False)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_shows_and_prints_a_hostile_card_without_complaint(known: Dossier, tmp_path: Path):
    page, paper = tmp_path / "card.html", tmp_path / "card.pdf"
    page.write_text(to_html(filled(hostile(known))), encoding="utf-8")
    assert CHROMIUM is not None
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr"]
    command = [CHROMIUM, *quiet, f"--user-data-dir={tmp_path / 'me'}"]
    for arguments in (["--dump-dom"], [f"--print-to-pdf={paper}"]):
        done = subprocess.run(
            [*command, *arguments, page.as_uri()], capture_output=True, text=True, timeout=60, check=True
        )
        assert "CONSOLE" not in done.stderr
    assert paper.read_bytes().startswith(b"%PDF")
