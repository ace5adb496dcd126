"""SVG: escaped elements, and a plot area with linear axes."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

STYLE = Markup(
    "<style>.surface{fill:var(--surface,#fff)}.ink{fill:var(--ink,#1d2733)}.muted{fill:var(--muted,#5b6875)}"
    ".grid{stroke:var(--grid,#e3e8ee);stroke-width:1}.axis{stroke:var(--axis,#9aa6b2);stroke-width:1}"
    ".cell{fill:var(--cell,#f3f5f8)}.whisker{stroke:var(--ink,#1d2733);stroke-width:1.5}"
    ".guide{stroke:var(--axis,#9aa6b2);stroke-width:1.2;stroke-dasharray:4 4}"
    ".band{fill:var(--axis,#9aa6b2);fill-opacity:.45}.tiny{font-size:9.5px}.isolated{unicode-bidi:isolate}"
    ".halo{paint-order:stroke;stroke:var(--surface,#fff);stroke-width:4px;stroke-linejoin:round}"
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}.small{font-size:11px}"
    ".end{text-anchor:end}.middle{text-anchor:middle}.strong{font-weight:600}</style>"
)
"""Colours follow the page's variables where it sets them, so that one drawing fits light, dark and print."""


DIRECTION_MARKS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX 9)."""


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """One element, everything but Markup escaped; ``stroke_width`` means ``stroke-width``, ``class_`` ``class``."""
    given = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), clean(value)) for key, value in attributes.items()
    )
    inside = Markup("").join(child if isinstance(child, Markup) else escape(clean(child)) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), given, inside)


def drawing(title: str, description: str, width: float, height: float, *children: Markup) -> str:
    """A whole SVG document with its text alternative."""
    return str(
        tag(
            "svg",
            tag("title", title),
            tag("desc", description),
            STYLE,
            tag("rect", width=width, height=height, class_="surface"),
            *children,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {width:g} {height:g}",
            width=f"{width:g}",
            height=f"{height:g}",
            role="img",
            aria_label=f"{title}. {description}",
        )
    )


def clean(value: object) -> object:
    """Numbers in short; text without what XML forbids, and without what would turn the text around it."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, str) and not isinstance(value, Markup):
        return unturned("".join(character for character in value if character >= " " or character in "\t\n"))
    return value


def unturned(text: str) -> str:
    """Text whose direction marks are spelt out (``\\u202e``): one in a name would turn the numbers beside it.

    Letters of right-to-left alphabets keep their direction.
    """
    for mark in DIRECTION_MARKS:
        if mark in text:
            text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def shortened(text: object, most: int) -> str:
    """Text that fits: cut with an ellipsis."""
    full = str(text)
    return full if len(full) <= most else full[: most - 1] + "…"


def padded(values: Iterable[float]) -> tuple[float, float]:
    """The range of ``values`` with some room at both ends, never empty."""
    listed = list(values)
    room = 0.04 * (max(listed) - min(listed)) or 0.5
    return min(listed) - room, max(listed) + room


def tick_text(value: float) -> str:
    """A tick's number in short: 250k, 1.5M, 0.25."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * (10 if unit == "k" else 1):
            return f"{value / size:g}{unit}"
    return f"{value:.10g}"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers within [low, high], about ``about`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.7)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Area:
    """A plot area inside a drawing: where data coordinates fall."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 440
    height: float = 330
    left: float = 58
    right: float = 16
    top: float = 14
    bottom: float = 48

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Position of a data point."""
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return (
            self.left + across * (self.width - self.left - self.right),
            self.height - self.bottom - up * (self.height - self.top - self.bottom),
        )

    def axes(self, x_title: str, y_title: str = "") -> Markup:
        """Grid, tick labels and titles; none of the vertical axis without a title for it."""
        middle = (self.left + self.width - self.right) / 2
        parts = [*self._vertical(), tag("text", x_title, x=middle, y=self.height - 10, class_="muted middle")]
        if y_title:
            centre = (self.top + self.height - self.bottom) / 2
            turned = f"translate(14 {centre:g}) rotate(-90)"
            parts += [*self._horizontal(), tag("text", y_title, transform=turned, class_="muted middle")]
        return Markup("").join(parts)

    def line(self, points: Iterable[tuple[float, float]], **attributes: object) -> Markup:
        """A line through data points."""
        return tag("polyline", points=_joined(self.at(*point) for point in points), fill="none", **attributes)

    def dots(self, points: Iterable[tuple[float, float]], **attributes: object) -> Markup:
        """Many dots as one path: light, also for thousands."""
        path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in (self.at(*point) for point in points))
        return tag("path", d=path, fill="none", stroke_linecap="round", **attributes)

    def _vertical(self) -> list[Markup]:
        bottom = self.at(self.x[0], self.y[0])[1]
        parts = []
        for value in ticks(*self.x):
            x = self.at(value, self.y[0])[0]
            parts.append(tag("line", x1=x, x2=x, y1=self.top, y2=bottom, class_="grid"))
            parts.append(tag("text", tick_text(value), x=x, y=bottom + 17, class_="muted small middle"))
        return parts

    def _horizontal(self) -> list[Markup]:
        parts = []
        for value in ticks(*self.y):
            y = self.at(self.x[0], value)[1]
            parts.append(tag("line", x1=self.left, x2=self.width - self.right, y1=y, y2=y, class_="grid"))
            parts.append(tag("text", tick_text(value), x=self.left - 7, y=y + 4, class_="muted small end"))
        return parts


def _joined(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
