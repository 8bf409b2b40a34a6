"""The way of the data to a figure, drawn: systems, raw tables, staging, marts, the figure.

Belongs here: the drawing. Does not belong here: which table leads to which (`metrics.drill_down`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup

from sophia_assets.metrics.drill_down import LineageStep

_WIDTH, _TOP, _ROW, _BOX = 960.0, 26.0, 28.0, 22.0
_GAP, _CHARACTER = 34.0, 6.4
_FIGURE = "figure"
_COLUMN_OF = {"raw": 1, "staging": 2, "mart": 3}
HEADS = ("System", "Raw table", "Staging", "Mart", "Figure")


@dataclass(frozen=True)
class Node:
    """A box: its text, in which column it stands, and its page in Dagster, empty where it has none."""

    label: str
    column: int
    address: str = ""


@dataclass(frozen=True)
class Lineage:
    """Nodes by name, each column from top to bottom, and which leads to which."""

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]


def asset_address(dagster_url: str, table: str) -> str:
    """The asset of a table or model in Dagster's UI; empty where that has no address."""
    if not dagster_url:
        return ""
    return f"{dagster_url.rstrip('/')}/assets/{'/'.join(quote(part, safe='') for part in table.split('.'))}"


def lineage_to(label: str, steps: Sequence[LineageStep], marts: Collection[str], dagster_url: str = "") -> Lineage:
    """The tables without which a figure means nothing, back to their systems; `marts` are those it is read from."""
    needed = [step for step in steps if step.is_needed]
    names = {step.table for step in needed}
    nodes: dict[str, Node] = {}
    edges: dict[tuple[str, str], None] = {}
    for step in needed:
        nodes[step.table] = Node(step.table, _COLUMN_OF[step.kind], asset_address(dagster_url, step.table))
        if step.system:
            nodes.setdefault(f"system:{step.system}", Node(step.system, 0))
            edges[f"system:{step.system}", step.table] = None
        edges |= dict.fromkeys((read, step.table) for read in step.reads if read in names)
    edges |= dict.fromkeys((mart, _FIGURE) for mart in marts if mart in names)
    nodes[_FIGURE] = Node(label, len(HEADS) - 1)
    return Lineage(nodes, tuple(edges))


def draw_lineage(lineage: Lineage) -> Markup:
    """The lineage as one `<svg>`, left to right; boxes with a page in Dagster are links."""
    columns = [[name for name, node in lineage.nodes.items() if node.column == place] for place in range(len(HEADS))]
    height = _TOP + max(len(column) for column in columns) * _ROW + 8
    widths = [_box_width(column, lineage) for column in columns]
    free = max(_WIDTH - sum(widths), _GAP * (len(HEADS) - 1))
    gap = free / (len(HEADS) - 1)
    width = sum(widths) + gap * (len(HEADS) - 1)
    lefts = [sum(widths[:place]) + gap * place for place in range(len(HEADS))]
    spots = {
        name: (lefts[place], _TOP + (row + (height - _TOP - 8) / _ROW / 2 - len(column) / 2) * _ROW, widths[place])
        for place, column in enumerate(columns)
        for row, name in enumerate(column)
    }
    head = Markup('<svg class="lineage" viewBox="0 0 {w:.0f} {h:.0f}" role="group" aria-label="{told}">').format(
        w=width, h=height, told=_told(columns, lineage)
    )
    return head + Markup("").join(_parts(lineage, spots, lefts)) + Markup("</svg>")


def _parts(lineage: Lineage, spots: Mapping[str, tuple[float, float, float]], lefts: list[float]) -> Iterator[Markup]:
    for place, title in enumerate(HEADS):
        yield Markup('<text class="col-head" x="{x:.1f}" y="12">{title}</text>').format(x=lefts[place], title=title)
    for start, end in lineage.edges:
        yield _edge(spots[start], spots[end])
    for name, node in lineage.nodes.items():
        yield _box(node, *spots[name])


def _edge(start: tuple[float, float, float], end: tuple[float, float, float]) -> Markup:
    x1, y1, x2, y2 = start[0] + start[2], start[1] + _BOX / 2, end[0], end[1] + _BOX / 2
    if x2 <= x1:
        # Within a column: round the right side of both boxes.
        x2 = end[0] + end[2]
        path = f"M{x1:.1f} {y1:.1f}C{x1 + 22:.1f} {y1:.1f} {x2 + 22:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    else:
        middle = (x1 + x2) / 2
        path = f"M{x1:.1f} {y1:.1f}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return Markup('<path d="{path}"/>').format(path=path)


def _box(node: Node, x: float, y: float, width: float) -> Markup:
    kind = "end" if node.column == len(HEADS) - 1 else "node"
    box = Markup(
        '<g class="{kind}"><rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.0f}" rx="4"/>'
        '<text x="{tx:.1f}" y="{ty:.1f}">{label}</text></g>'
    ).format(kind=kind, x=x, y=y, w=width, h=_BOX, tx=x + 8, ty=y + 15, label=node.label)
    if not node.address:
        return box
    return Markup('<a href="{address}" rel="noreferrer" aria-label="{label} in Dagster">{box}</a>').format(
        address=node.address, label=node.label, box=box
    )


def _box_width(names: list[str], lineage: Lineage) -> float:
    """Wide enough for the longest text; the figure's is bold."""
    wide = max((len(lineage.nodes[name].label) * (1.2 if name == _FIGURE else 1.0) for name in names), default=6.0)
    return max(wide * _CHARACTER + 16, 60.0)


def _told(columns: list[list[str]], lineage: Lineage) -> str:
    """The drawing in words."""
    parts = [
        f"{head}: {', '.join(lineage.nodes[name].label for name in column)}"
        for head, column in zip(HEADS, columns, strict=True)
        if column
    ]
    return "; ".join(parts)
