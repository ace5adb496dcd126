"""What README and docs declare is what the platform takes."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.declaration.spec import SystemSpec

REPOSITORY = Path(__file__).parents[1]
PACKAGE, TESTS = REPOSITORY / "mlops_assets", REPOSITORY / "mlops_assets_tests"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def yaml_blocks(page: Path) -> list[dict[str, Any]]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]


def test_the_example_of_the_readme_is_a_declaration():
    [example] = yaml_blocks(REPOSITORY / "README.md")
    spec = SystemSpec.model_validate(example["attributes"])
    assert spec.feature_columns() == ["months", "plan", "spend"]


def test_the_pieces_of_the_guide_fit_together():
    attributes: dict[str, Any] = {"name": "houses", "task": "regression"}
    for block in yaml_blocks(REPOSITORY / "docs" / "own_system.md"):
        attributes |= block
    columns = attributes["dataset"]["columns"]
    columns["floors"] = {"type": "integer"}
    spec = SystemSpec.model_validate(attributes)
    assert "agent_fee" not in spec.feature_columns()
    assert [gate.name for gate in spec.evaluation.gates][1:3] == [
        "robustness_noise_10_at_most",
        "conformal_coverage_at_least",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_is_named_exists(page: Path):
    """A path stands in backticks, seen from the repository or from the package."""
    named = re.findall(r"`([\w./]+(?:/|\.py))`", page.read_text())
    faces = {path.name for path in PACKAGE.rglob("*.py")}  # such as `asset.py`, of which every stage has one
    there = [path in faces or (REPOSITORY / path).exists() or (PACKAGE / path).exists() for path in named]
    assert [path for path, exists in zip(named, there, strict=True) if not exists] == []


def test_the_map_names_every_room():
    rooms = {f"{folder.name}/" for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    doors = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    architecture = (REPOSITORY / "docs" / "architecture.md").read_text()
    table = architecture[architecture.index("| room | holds |") :].split("\n\n")[0]
    assert {*rooms, *doors} - set(re.findall(r"`([\w./]+)`", table)) == set()


def promises() -> dict[str, tuple[list[str], str]]:
    """Of every row of the table: its tests, and what it says is not shown."""
    text = (REPOSITORY / "docs" / "reliability.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| (R|M)?\d+ \|", line)]
    cells = [(row[0], re.findall(r"`([^`]+)`", row[2]), row[3].strip(" |") if len(row) > 3 else "") for row in rows]
    assert len(cells) == len({name for name, _, _ in cells})
    return {name: (tests, rest) for name, tests, rest in cells}


def test_the_table_of_promises_leaves_none_out():
    assert list(promises()) == [
        *(f"R{number}" for number in range(1, 15)),
        *(f"M{number}" for number in (*range(1, 10), 11, 12, 13)),
        *(f"{number}" for number in range(1, 14)),
    ]
    assert [name for name, (tests, rest) in promises().items() if not tests and not rest.startswith("Not yet")] == []


def test_there_is_a_private_way_to_report():
    page = (REPOSITORY / "SECURITY.md").read_text()
    section = page[page.index("## Reporting") :].split("\n## ")[0]
    for word in ("privately", "Report a vulnerability", "not in a public issue", "working days"):
        assert word in section


def who_can_write() -> dict[str, list[str]]:
    """The cells of the table of trust, by what can be written."""
    text = (REPOSITORY / "SECURITY.md").read_text()
    table = text[text.index("| who can write |") :].split("\n\n")[0].splitlines()
    return {row[0]: row[1:] for row in ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in table[2:])}


def test_every_cell_of_the_table_of_trust_is_shown_by_a_test():
    cells = [cell for row in who_can_write().values() for cell in row]
    assert len(cells) == 5 * 4
    for cell in cells:
        named = [test.partition("::") for test in re.findall(r"`([\w/.]+::\w+)`", cell)]
        assert cell.startswith(("can", "cannot"))
        assert named, cell
        assert [(file, test) for file, _, test in named if test not in functions_of(TESTS / file)] == []


@pytest.mark.parametrize("name", promises())
def test_no_promise_names_a_test_that_does_not_exist(name: str):
    named = [test.partition("::") for test in promises()[name][0]]
    assert [(file, test) for file, _, test in named if test not in functions_of(TESTS / file)] == []


def functions_of(path: Path) -> set[str]:
    """Names of the tests in a file, which is not imported; none where there is no such file."""
    tree = ast.parse(path.read_text()) if path.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
