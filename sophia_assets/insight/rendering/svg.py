"""Draws a chart as inline SVG. Every number shown is a fact's display, but for the ends of a scale that has some."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from markupsafe import Markup, escape

from sophia_assets.insight.charts import Chart, ChartPoint

WIDTH, WIDE, HEIGHT = 320.0, 480.0, 132.0
_TOP, _BOTTOM, _SIDE = 22.0, 20.0, 4.0
_BAR_HEIGHT, _MAX_LABEL = 28.0, 24
#: A chart of more places than these is drawn wide.
SHORT_SLOTS = 8


def draw(chart: Chart) -> Markup:
    """The chart as one `<svg>` with a title and a description for those who cannot see it."""
    width = WIDE if chart.kind == "bars" or chart.slots > SHORT_SLOTS else WIDTH
    height = len(chart.points) * _BAR_HEIGHT + 8 if chart.kind == "bars" else HEIGHT
    marks = {"columns": _columns, "line": _line, "bars": _bars}[chart.kind]
    first, last = chart.points[0], chart.points[-1]
    told = (
        f"From {first.label}: {first.display} to {last.label}: {last.display}."
        if chart.kind != "bars"
        else "; ".join(f"{point.label}: {point.display}" for point in chart.points)
    )
    head = Markup(
        '<svg viewBox="0 0 {w:.0f} {h:.0f}" role="img" aria-labelledby="{id}-t {id}-d">'
        '<title id="{id}-t">{title}</title><desc id="{id}-d">{desc} {note}</desc>'
    ).format(w=width, h=height, id=chart.id, title=chart.title, desc=told, note=chart.note)
    return head + Markup("").join(marks(chart, width)) + Markup("</svg>")


def _scale(chart: Chart) -> Callable[[float], float]:
    """From a value to its height in the picture: from zero, or between the ends of its own scale."""
    values = [point.value for point in chart.points]
    low, high = chart.bounds or (min(0.0, *values), max(0.0, *values))
    span = (high - low) or 1.0
    return lambda value: HEIGHT - _BOTTOM - (min(max(value, low), high) - low) / span * (HEIGHT - _BOTTOM - _TOP)


def _middles(chart: Chart, width: float) -> Callable[[ChartPoint], float]:
    step = (width - 2 * _SIDE) / max(chart.slots, 1)
    return lambda point: _SIDE + step * (point.slot + 0.5)


def _columns(chart: Chart, width: float) -> Iterator[Markup]:
    x_of, y_of = _middles(chart, width), _scale(chart)
    wide = min((width - 2 * _SIDE) / max(chart.slots, 1) * 0.68, 30.0)
    points = chart.points
    peak = max(points, key=lambda point: point.value)
    newest = next((point for point in reversed(points) if not point.is_partial), None)
    tops = {point: (x_of(point), y_of(max(point.value, 0.0))) for point in points}
    for point in points:
        middle, top, bottom = x_of(point), y_of(max(point.value, 0.0)), y_of(min(point.value, 0.0))
        kind = "part" if point.is_partial else "last" if point is newest else ""
        yield Markup(
            '<g><title>{label}: {display}</title><rect class="col {kind}" x="{x:.1f}" y="{y:.1f}" '
            'width="{w:.1f}" height="{h:.1f}"/></g>'
        ).format(
            label=point.label, display=point.display, kind=kind, x=middle - wide / 2, y=top, w=wide, h=bottom - top
        )
        if point in (peak, points[-1]) and not _crowded(point, chart, width):
            at, half = _inside(middle, point.display, width), len(point.display) * 3.3 + wide / 2
            # Above every column that the figure's words reach over.
            clear = min(y for x, y in tops.values() if abs(x - at) <= half)
            yield _text(at, clear - 6, point.display, "middle", "num")
        yield from _axis(point, chart, middle, width)
    yield _base(width, y_of(0.0))


def _line(chart: Chart, width: float) -> Iterator[Markup]:
    x_of, y_of = _middles(chart, width), _scale(chart)
    yield _base(width, HEIGHT - _BOTTOM)
    if chart.bounds:
        yield _base(width, _TOP)
        yield _text(0, HEIGHT - _BOTTOM - 3, f"{chart.bounds[0]:g}", "start", "axis")
        yield _text(0, _TOP - 4, f"{chart.bounds[1]:g}", "start", "axis")
    for run in _unbroken(chart.points):
        yield Markup('<polyline class="line" points="{spots}"/>').format(
            spots=" ".join(f"{x_of(point):.1f},{y_of(point.value):.1f}" for point in run)
        )
    ends = (chart.points[0], chart.points[-1])
    for point in chart.points:
        x, y, end = x_of(point), y_of(point.value), point in ends
        yield Markup(
            '<g><title>{label}: {display}</title><circle class="hit" cx="{x:.1f}" cy="{y:.1f}" r="9"/>'
            '<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{r}"/></g>'
        ).format(
            label=point.label,
            display=point.display,
            x=x,
            y=y,
            r=3.5 if end else 1.8,
            kind="dot end" if point is chart.points[-1] else "dot",
        )
        if end:
            yield _text(_inside(x, point.display, width), max(y - 9, 10), point.display, "middle", "num")
        yield from _axis(point, chart, x, width)


def _unbroken(points: tuple[ChartPoint, ...]) -> Iterator[list[ChartPoint]]:
    """The stretches in which no period is missing: a line over a gap would claim to know what lies in it."""
    run: list[ChartPoint] = []
    for point in points:
        if run and point.slot != run[-1].slot + 1:
            yield run
            run = []
        run.append(point)
    yield run


def _bars(chart: Chart, width: float) -> Iterator[Markup]:
    top = max(max(point.value for point in chart.points), 0.0) or 1.0
    for place, point in enumerate(chart.points):
        y = 4 + place * _BAR_HEIGHT
        long = max(point.value, 0.0) / top * width
        label = point.label if len(point.label) <= _MAX_LABEL else point.label[: _MAX_LABEL - 1] + "\u2026"
        yield Markup(
            '<g><title>{full}: {display}</title><rect class="track" x="0" y="{t:.1f}" width="{w:.0f}" height="7"/>'
            '<rect class="col" x="0" y="{t:.1f}" width="{long:.1f}" height="7"/></g>'
        ).format(full=point.label, display=point.display, t=y + 16, w=width, long=long)
        yield _text(0, y + 11, label, "start", "name")
        yield _text(width, y + 11, point.display, "end", "num")


def _base(width: float, y: float) -> Markup:
    return Markup('<line class="base" x1="0" x2="{w:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>').format(w=width, y=y)


def _text(x: float, y: float, text: str, anchor: str, kind: str) -> Markup:
    return Markup('<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>').format(
        kind=kind, x=x, y=y, anchor=anchor, text=escape(text)
    )


def _inside(x: float, text: str, width: float) -> float:
    """A middle that keeps a text of that length inside the picture."""
    half = len(text) * 3.3 + 1
    return min(max(x, half), width - half)


def _axis(point: ChartPoint, chart: Chart, x: float, width: float) -> Iterator[Markup]:
    """The label of the last place, and of others at even distances from it, so that they do not collide.

    A month's year is told once, and again with each January.
    """
    every = 1 if chart.slots <= SHORT_SLOTS else 2
    if (chart.slots - 1 - point.slot) % every:
        return
    words, label = point.label.split(), point.label
    if chart.slots > SHORT_SLOTS and len(words) == 2 and words[0] != "Jan" and point.slot >= every:
        label = words[0]
    yield _text(_inside(x, label, width), HEIGHT - 5, label, "middle", "axis")


def _crowded(point: ChartPoint, chart: Chart, width: float) -> bool:
    """Whether the peak's figure would collide with that of the last mark."""
    last = chart.points[-1]
    step = width / max(chart.slots, 1)
    return point is not last and (last.slot - point.slot) * step < (len(point.display) + len(last.display)) * 5.2
