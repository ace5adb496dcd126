"""The page of soak runs: a run takes the place of the last of its name, and leaves the others."""

from pathlib import Path

import pytest

from mlops_assets_tests.soak import Page


def report(test: str, name: str, passed: bool = True, **figures: object) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=f"mlops_assets_tests/{test}",
        location=(test, None, test),
        keywords={},
        outcome="passed" if passed else "failed",
        longrepr=None,
        when="call",
        duration=2.0,
        user_properties=[("soak", name), *figures.items()],
    )


def written(path: Path, *reports: pytest.TestReport) -> dict[str, list[str]]:
    page = Page(path)
    for made in reports:
        page.pytest_runtest_logreport(made)
    page.pytest_sessionfinish()
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    rows = [line.strip("| ").split(" | ") for line in lines]
    return {row[0]: row[1:] for row in rows}


def test_a_run_takes_the_place_of_the_last_of_its_name(tmp_path: Path):
    path = tmp_path / "soak.md"
    written(path, report("a.py::x", "rates", covered="0.95"), report("b.py::y", "kills"))
    rows = written(path, report("a.py::x", "rates", covered="0.96"), report("a.py::z", "rates", passed=False))
    assert list(rows) == ["`kills`", "`rates`", "`a.py::x`"]
    assert rows["`rates`"][1:4] == ["2", "1", "4"]
    assert rows["`kills`"][1:4] == ["1", "1", "2"]
    assert rows["`a.py::x`"] == ["covered 0.96"]


def test_an_ordinary_test_is_not_on_the_page(tmp_path: Path):
    ordinary = report("a.py::x", "rates", covered="0.95")
    ordinary.user_properties = [pair for pair in ordinary.user_properties if pair[0] == "covered"]
    assert written(tmp_path / "soak.md", ordinary) == {}
