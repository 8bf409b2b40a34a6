"""Draws a chart as inline SVG: no axis figures of its own, every number shown is a fact's display."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup, escape

from sophia_assets.insight.charts import Chart, ChartPoint

WIDTH, HEIGHT = 320.0, 150.0
_TOP, _BOTTOM, _SIDE = 24.0, 20.0, 4.0
_BAR_HEIGHT, _MAX_LABEL = 28.0, 24
_END_LABEL_SPACE = 40.0


def draw(chart: Chart) -> Markup:
    """The chart as one `<svg>` with a title and a description for those who cannot see it."""
    marks = {"columns": _columns, "line": _line, "bars": _bars}[chart.kind]
    height = len(chart.points) * _BAR_HEIGHT + 8 if chart.kind == "bars" else HEIGHT
    first, last = chart.points[0], chart.points[-1]
    told = (
        f"{first.label}: {first.display}; {last.label}: {last.display}"
        if chart.kind != "bars"
        else "; ".join(f"{point.label}: {point.display}" for point in chart.points)
    )
    head = Markup(
        '<svg viewBox="0 0 {w:.0f} {h:.0f}" role="img" aria-labelledby="{id}-t {id}-d">'
        '<title id="{id}-t">{title}</title><desc id="{id}-d">{desc}</desc>'
    ).format(w=WIDTH, h=height, id=chart.id, title=chart.title, desc=told)
    return head + Markup("").join(marks(chart.points)) + Markup("</svg>")


def _columns(points: tuple[ChartPoint, ...]) -> Iterator[Markup]:
    step = (WIDTH - 2 * _SIDE) / len(points)
    width = min(step * 0.68, 30.0)
    top = max(max(point.value for point in points), 0.0) or 1.0
    base = HEIGHT - _BOTTOM
    peak = max(range(len(points)), key=lambda place: points[place].value)
    for place, point in enumerate(points):
        middle = _SIDE + step * (place + 0.5)
        tall = max(point.value, 0.0) / top * (base - _TOP)
        kind = "last" if place == len(points) - 1 else ""
        yield Markup(
            '<g><title>{label}: {display}</title><rect class="col {kind}" x="{x:.1f}" y="{y:.1f}" '
            'width="{w:.1f}" height="{h:.1f}"/></g>'
        ).format(
            label=point.label, display=point.display, kind=kind, x=middle - width / 2, y=base - tall, w=width, h=tall
        )
        if place in (peak, len(points) - 1) and not _crowded(place, peak, len(points)):
            yield _text(_inside(middle, point.display), base - tall - 6, point.display, "middle", "num")
        if _is_labelled(place, len(points)):
            yield _text(_inside(middle, point.label), HEIGHT - 5, point.label, "middle", "axis")
    yield Markup('<line class="base" x1="0" x2="{w}" y1="{y}" y2="{y}"/>').format(w=WIDTH, y=base)


def _line(points: tuple[ChartPoint, ...]) -> Iterator[Markup]:
    low, high = min(p.value for p in points), max(p.value for p in points)
    span = (high - low) or abs(high) or 1.0
    low, high = low - 0.15 * span, high + 0.15 * span
    base, right = HEIGHT - _BOTTOM, WIDTH - _SIDE - _END_LABEL_SPACE / 4
    step = (right - _SIDE - 10) / max(len(points) - 1, 1)
    spots = [
        (_SIDE + 10 + step * place, base - 10 - (point.value - low) / (high - low) * (base - _TOP - 10))
        for place, point in enumerate(points)
    ]
    yield Markup('<line class="base" x1="0" x2="{w}" y1="{y}" y2="{y}"/>').format(w=WIDTH, y=base)
    yield Markup('<polyline class="line" points="{spots}"/>').format(
        spots=" ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    )
    for place, (point, (x, y)) in enumerate(zip(points, spots, strict=True)):
        end = place in (0, len(points) - 1)
        yield Markup(
            '<g><title>{label}: {display}</title><circle class="hit" cx="{x:.1f}" cy="{y:.1f}" r="9"/>'
            '<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{r}"/></g>'
        ).format(
            label=point.label,
            display=point.display,
            x=x,
            y=y,
            r=3.5 if end else 1.8,
            kind="dot end" if place == len(points) - 1 else "dot",
        )
        if end:
            below = place > 0 and point.value < points[place - 1].value
            yield _text(_inside(x, point.display), y + 17 if below else y - 9, point.display, "middle", "num")
        if _is_labelled(place, len(points)):
            yield _text(_inside(x, point.label), HEIGHT - 5, point.label, "middle", "axis")


def _bars(points: tuple[ChartPoint, ...]) -> Iterator[Markup]:
    top = max(max(point.value for point in points), 0.0) or 1.0
    for place, point in enumerate(points):
        y = 4 + place * _BAR_HEIGHT
        long = max(point.value, 0.0) / top * WIDTH
        label = point.label if len(point.label) <= _MAX_LABEL else point.label[: _MAX_LABEL - 1] + "\u2026"
        yield Markup(
            '<g><title>{full}: {display}</title><rect class="track" x="0" y="{t:.1f}" width="{w:.0f}" height="7"/>'
            '<rect class="col" x="0" y="{t:.1f}" width="{long:.1f}" height="7"/></g>'
        ).format(full=point.label, display=point.display, t=y + 16, w=WIDTH, long=long)
        yield _text(0, y + 11, label, "start", "name")
        yield _text(WIDTH, y + 11, point.display, "end", "num")


def _text(x: float, y: float, text: str, anchor: str, kind: str) -> Markup:
    return Markup('<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>').format(
        kind=kind, x=x, y=y, anchor=anchor, text=escape(text)
    )


def _inside(x: float, text: str) -> float:
    """A middle that keeps a text of that length inside the picture."""
    half = len(text) * 3.1 + 1
    return min(max(x, half), WIDTH - half)


def _is_labelled(place: int, count: int) -> bool:
    """Labels the last mark and others at even distances from it, so that they do not collide."""
    every = 1 if count <= 6 else 4 if count > 9 else 2
    return (count - 1 - place) % every == 0


def _crowded(place: int, peak: int, count: int) -> bool:
    """Whether the peak's figure would collide with that of the last mark."""
    return place == peak and place != count - 1 and count - 1 - place < (3 if count > 6 else 1)
