"""The mark ``soak``: what must be repeated to mean anything runs by ``make soak``, its figures in docs/soak.md.

A test or a parameter marked ``pytest.mark.soak("kills")`` is left out of the ordinary run, where a small
representative of it stands; ``--soak kills`` runs those of one name, ``--soak all`` every one, and nothing else.
What a test records with ``record_property`` is told beside it.
"""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

NAMES = {
    "kills": "processes killed, raced, or cut off from MLflow, at every moment of the line",
    "rates": "how often a method errs where the truth is known, with all repeats",
    "environments": "the same line under other settings, databases and commands",
    "wheel": "the built wheel in an empty environment, and a wheel of every pinned library for later Pythons",
    "attacks": "files made to do harm, every one of them",
    "homes": "homes that earlier releases made: opened, verified, challenged, rolled back",
}
HEAD = """\
# Soak: what must be repeated to mean anything

`make test` holds a small representative of each; `make soak` runs the whole, `make soak NAME=kills` one name, and
both write this page. The nightly workflow runs all of it. Seconds are those of the tests, on the machine they ran on.
"""
RUNS = ["| name | what is repeated | tests | passed | seconds | commit | date |", "|---|---|---|---|---|---|---|"]
FIGURES = ["| test | figures |", "|---|---|"]
ROW = re.compile(r"^\| `(?P<key>[^`]+)` \|")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", choices=("all", *NAMES), help="run the soak tests of this name, or all of them")
    parser.addoption("--soak-page", type=Path, help="write the figures of a soak run to this page")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak(name): repeated at length, by `make soak` only")
    page = config.getoption("soak_page")
    if page and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Page(page))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that this run is about."""
    asked, names = config.getoption("soak"), {item: _name(item) for item in items}
    kept = [item for item, name in names.items() if (name and asked == "all") or name == asked]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _name(item: pytest.Item) -> str | None:
    mark = item.get_closest_marker("soak")
    if mark is None:
        return None
    (name,) = mark.args
    if name not in NAMES:
        raise pytest.UsageError(f"{item.nodeid}: soak is one of {', '.join(NAMES)}, not {name!r}")
    item.user_properties.append(("soak", name))
    return name


@dataclass(eq=False)  # pytest puts its plugins into sets
class Page:
    """Collects what a soak run shows, and puts it in the place of what the page said of the same names and tests."""

    path: Path
    tests: dict[str, dict[str, bool]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        name = str(properties.pop("soak", ""))
        if not name:
            return
        self.seconds[name] = self.seconds.get(name, 0.0) + report.duration
        if report.when == "call" or not report.passed:
            self.tests.setdefault(name, {})[report.nodeid] = report.passed
        if report.when == "call" and properties:
            recorded = ", ".join(f"{key} {value}" for key, value in properties.items())
            self.figures[report.nodeid.removeprefix("mlops_assets_tests/")] = f"{recorded} |"

    def pytest_sessionfinish(self) -> None:
        old = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        known = {match["key"]: line for line in old if (match := ROW.match(line))}
        known |= {name: self._run(name) for name in self.tests}
        known |= {test: f"| `{test}` | {figures}" for test, figures in self.figures.items()}
        runs = [known.pop(name) for name in NAMES if name in known]
        parts = [*HEAD.splitlines(), "", *RUNS, *runs, "", *FIGURES, *_sorted(known)]
        self.path.write_text("\n".join(parts) + "\n", encoding="utf-8")

    def _run(self, name: str) -> str:
        tests = self.tests[name]
        cells = [
            len(tests),
            sum(tests.values()),
            f"{self.seconds[name]:.0f}",
            commit(),
            f"{datetime.now(UTC):%Y-%m-%d}",
        ]
        return f"| `{name}` | {NAMES[name]} | {' | '.join(map(str, cells))} |"


def _sorted(rows: dict[str, str]) -> Iterable[str]:
    return (rows[key] for key in sorted(rows))


def commit() -> str:
    """The commit that is checked out."""
    words = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip()
