"""The picture of the line in docs/, drawn from the assets of a shipped system."""

import re
from dataclasses import dataclass

from markupsafe import Markup

from mlops_assets.declaration.reading import SHIPPED, read_declaration
from mlops_assets.declaration.spec import SystemSpec
from mlops_assets.evaluation.report.plots.svg import drawing, tag
from mlops_assets.storage.records import Record
from mlops_assets.system import STAGES

SYSTEM = "wine_quality"
WIDTH, GAP, MARGIN = 154, 17, 10
TOP, HEAD, STEP, FOOT = 40, 42, 19, 40
"""Heights: of the arcs above the cards, of a card's head, of a check's line, of a card's foot."""
EDGE, INK, MUTED, BLUE, AMBER = "#d0d7de", "#1f2328", "#59636e", "#0969da", "#9a6700"


@dataclass(frozen=True)
class Stage:
    """One card of the picture."""

    name: str
    tools: str
    """What the stage is made with."""
    publishes: str
    checks: tuple[tuple[str, bool], ...] = ()
    """Name of each check, and whether it blocks."""
    upstream: tuple[str, ...] = ()


LANDING = Stage("landing zone", "files by content", "receipt")


def stages(spec: SystemSpec) -> list[Stage]:
    """The stages of a system in order, as its assets declare themselves."""
    records = {kind.stage: kind.__name__ for kind in Record.__subclasses__()}
    line = [LANDING]
    for asset in (stage(spec) for stage in STAGES):
        name = asset.key.path[-1]
        upstream = tuple(sorted(key.path[-1] for key in asset.dependency_keys)) or (LANDING.name,)
        checks = tuple((check.name, check.blocking) for check in asset.check_specs)
        kinds = ", ".join(sorted(next(iter(asset.specs)).kinds))
        line.append(Stage(name, kinds, records[name], checks, upstream))
    return line


def picture(spec: SystemSpec) -> str:
    """The line from left to right as an SVG document."""
    line = stages(spec)
    tall = HEAD + STEP * max(len(stage.checks) for stage in line) + 8 + FOOT
    left = {stage.name: MARGIN + index * (WIDTH + GAP) for index, stage in enumerate(line)}
    width, height = MARGIN * 2 + len(line) * (WIDTH + GAP) - GAP, TOP + tall + 40
    arrows = [_arrow(left[name], left[stage.name]) for stage in line for name in stage.upstream]
    cards = [_card(stage, left[stage.name], tall) for stage in line]
    description = " ".join(_sentence(stage) for stage in line)
    return drawing(f"The line of {spec.name}", description, width, height, _tip(), *arrows, *cards, _legend(height))


def _sentence(stage: Stage) -> str:
    checks = ", ".join(name if blocks else f"{name} (warns)" for name, blocks in stage.checks)
    read = f" reads {' and '.join(stage.upstream)}," if stage.upstream else ""
    return f"{stage.name}:{read} publishes {stage.publishes}{f'; checks: {checks}' if checks else ''}."


def _tip() -> Markup:
    head = tag("path", d="M0 0 L7 3.5 L0 7 z", fill=MUTED)
    return tag("defs", tag("marker", head, id="tip", markerWidth=7, markerHeight=7, refX=6, refY=3.5, orient="auto"))


def _arrow(source: float, target: float) -> Markup:
    """Straight to the neighbour at the height of the heads; over the cards between to one farther on."""
    if target - source <= WIDTH + GAP:
        height = TOP + HEAD / 2
        route = f"M{source + WIDTH} {height} H{target - 2}"
    else:
        start, end = source + WIDTH - 12, target + 12
        route = f"M{start} {TOP} C{start + 24} {TOP - 44}, {end - 24} {TOP - 44}, {end} {TOP - 2}"
    return tag("path", d=route, fill="none", stroke=MUTED, stroke_width=1.4, marker_end="url(#tip)")


def _card(stage: Stage, left: float, tall: float) -> Markup:
    text = left + 10
    foot = TOP + tall - FOOT
    champion = stage.name == "champion"
    return tag(
        "g",
        tag("rect", x=left, y=TOP, width=WIDTH, height=tall, rx=7, fill="#fff", stroke=EDGE),
        tag("path", d=_rounded(left, TOP, HEAD), fill="#dafbe1" if champion else "#ddf4ff"),
        tag("text", stage.name, x=text, y=TOP + 18, fill=INK, style="font-size:13px", class_="strong"),
        tag("text", stage.tools, x=text, y=TOP + 33, fill=MUTED, class_="small"),
        *(
            _check(name, blocks, text, TOP + HEAD + 2 + STEP * index)
            for index, (name, blocks) in enumerate(stage.checks)
        ),
        tag("path", d=f"M{left} {foot} H{left + WIDTH}", stroke=EDGE),
        tag("text", "publishes", x=text, y=foot + 16, fill=MUTED, class_="small"),
        tag("text", stage.publishes, x=text, y=foot + 31, fill=INK, class_="strong"),
    )


def _rounded(left: float, top: float, height: float) -> str:
    """The head of a card: round above, straight below."""
    return f"M{left} {top + height} v{7 - height} q0 -7 7 -7 h{WIDTH - 14} q7 0 7 7 v{height - 7} z"


def _check(name: str, blocks: bool, left: float, top: float) -> Markup:
    return tag(
        "g",
        _dot(blocks, left + 3.5, top + 12.5),
        tag("text", name, x=left + 11, y=top + 16.5, fill=INK, class_="small"),
    )


def _dot(blocks: bool, x: float, y: float) -> Markup:
    return tag("circle", cx=x, cy=y, r=3.5, fill=BLUE if blocks else "#fff", stroke=BLUE if blocks else AMBER)


def _legend(height: float) -> Markup:
    base = height - 14
    entries = [(True, "blocks: later stages refuse this version"), (False, "warns")]
    parts, left = [], MARGIN + 4
    for blocks, words in entries:
        parts += [_dot(blocks, left, base - 4), tag("text", words, x=left + 10, y=base, fill=MUTED, class_="small")]
        left += 250
    return tag("g", *parts)


def shipped_picture() -> str:
    """The picture as docs/ shows it, an element a line, so that a change can be read."""
    drawn = picture(read_declaration(SHIPPED / SYSTEM / "defs.yaml"))
    return re.sub(r"(?<=>)(?=<(?:g|path|rect|style|title|desc|defs|/svg)\b)", "\n", drawn) + "\n"


if __name__ == "__main__":
    from pathlib import Path

    (Path(__file__).parents[2] / "docs" / "images" / "line.svg").write_text(shipped_picture(), encoding="utf-8")
