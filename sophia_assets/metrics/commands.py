"""`sophia metrics`: lists, shows and checks the catalog. What it needs is imported only when a command runs."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sophia_assets.errors import ConfigurationError

if TYPE_CHECKING:
    from sophia_assets.metrics.measuring import FactContext

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PATH = click.Path(path_type=Path)


@click.group()
def metrics() -> None:
    """The metric catalog: what every figure means."""


@metrics.command("list")
@click.option("--area", help="Only the metrics of one area.")
@_JSON
def list_metrics(area: str | None, as_json: bool) -> None:
    """Every metric by area: name, label, unit, and what it rests on."""
    from sophia_assets.metrics.catalog import load_catalog
    from sophia_assets.metrics.catalog.entries import AREAS
    from sophia_assets.metrics.descriptions import summary
    from sophia_assets.warehouse.models import load_models

    catalog, models = load_catalog(), load_models()
    if area is not None and area not in AREAS:
        raise ConfigurationError(f"there is no area {area!r}", remedy=f"Use one of {', '.join(AREAS)}")
    rows = [summary(catalog, metric, models) for metric in catalog.metrics.values() if area in (None, metric.area)]
    rows.sort(key=lambda row: AREAS.index(row["area"]))
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    name_width, label_width = (max((len(row[key]) for row in rows), default=0) for key in ("name", "label"))
    for shown_area, members in groupby(rows, key=lambda row: str(row["area"])):
        click.echo(click.style(shown_area.replace("_", " ").capitalize(), bold=True))
        for row in members:
            rests_on = ", ".join(row["tables"])
            systems = ", ".join(row["systems"]) or "the platform's own record"
            click.echo(
                f"  {row['name']:<{name_width}}  {row['label']:<{label_width}}  {row['unit']:<7}  "
                f"{rests_on} ({systems})"
            )
    click.echo(f"{len(rows)} metrics. `sophia metrics show NAME` tells all about one.")


@metrics.command("show")
@click.argument("name")
@_JSON
def show_metric(name: str, as_json: bool) -> None:
    """All about one metric: definition, queries, sources, owner, periods, synonyms, newest value."""
    from sophia_assets.encryption.vault import vault_for
    from sophia_assets.home import current_home
    from sophia_assets.metrics.catalog import load_catalog
    from sophia_assets.metrics.catalog.problems import did_you_mean
    from sophia_assets.metrics.descriptions import details, newest_fact
    from sophia_assets.settings import load_settings
    from sophia_assets.warehouse.models import load_models

    catalog, models = load_catalog(), load_models()
    metric = catalog.metrics.get(name)
    if metric is None:
        remedy = did_you_mean(name, catalog.metrics, "`sophia metrics list` has all of them")
        raise ConfigurationError(f"there is no metric {name!r}", remedy=remedy)
    settings = load_settings()
    home = current_home(settings)
    newest = newest_fact(home.path / "facts", metric, vault_for(settings, home))
    found = details(catalog, metric, models, _context(newest["day"] if newest else None), newest)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        _print_details(found)


def _context(day: str | None) -> FactContext:
    """The ground for the queries that are shown: the newest day with facts, else yesterday."""
    from datetime import date, datetime, timedelta

    from sophia_assets.metrics.measuring import FactContext
    from sophia_assets.settings import load_settings

    settings = load_settings()
    shown = date.fromisoformat(day) if day else datetime.now(settings.tzinfo).date() - timedelta(days=1)
    return FactContext(shown, settings.timezone, shown, {}, settings.fiscal_year_start_month)


def _print_details(found: dict[str, Any]) -> None:
    click.echo(click.style(f"{found['label']} ({found['name']})", bold=True))
    click.echo(found["description"])
    newest = found["newest"]
    before = f", before {newest['previous_display']}" if newest and newest["previous_display"] else ""
    lines = {
        "definition": found["definition"],
        "kind": f"{found['kind']}, {found['unit']}, good {found['good']}, grain {found['grain']}",
        "newest": f"{newest['display']} {newest['period']['label']}{before} (facts of {newest['day']})"
        if newest
        else "",
        "target": found["target"],
        "owner": found["owner"],
        "access": f"{', '.join(found['access'])} ({found['sensitivity']})",
        "periods": ", ".join(found["periods"]),
        "series": ", ".join(found["series"]),
        "dimensions": ", ".join(found["dimensions"]),
        "breakdowns": ", ".join(f"{dimension} ({period})" for dimension, period in found["breakdowns"].items()),
        "synonyms": ", ".join(found["synonyms"]),
        "tables": ", ".join(found["tables"]),
        "sources": ", ".join(found["sources"]),
    }
    for name, text in lines.items():
        if text not in (None, ""):
            click.echo(f"  {name + ':':<12} {text}")
    for engine, sql in found["sql"].items():
        click.echo(f"\n-- {engine}\n{sql};")


@metrics.command("check")
@click.argument("path", type=_PATH, required=False)
@_JSON
def check_catalog(path: Path | None, as_json: bool) -> None:
    """Check the catalog, or a file or folder of one: every problem with its line and what to do. Ends with 2 if any."""
    from sophia_assets.metrics.catalog import CATALOG_FOLDER, read
    from sophia_assets.metrics.catalog.checking import check
    from sophia_assets.metrics.catalog.column_types import column_types
    from sophia_assets.warehouse.models import load_models

    target = path or CATALOG_FOLDER
    if not target.exists():
        raise ConfigurationError(f"there is no {target}", remedy="Name a YAML file, or a folder of them")
    found = read(target)
    problems = check(found, column_types(load_models()))
    if target.is_file():
        problems = [problem for problem in problems if problem.file == target.name]
    if as_json:
        counts = {"metrics": len(found.catalog.metrics), "problems": [problem.as_json() for problem in problems]}
        click.echo(json.dumps(counts, indent=1, ensure_ascii=False))
    else:
        for problem in problems:
            click.echo(str(problem))
        verdict = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}" if problems else "no problems"
        click.echo(f"{len(found.catalog.metrics)} metrics, {verdict}.", err=bool(problems))
    sys.exit(2 if problems else 0)


@metrics.command("fields")
def list_fields() -> None:
    """What a metric's block may say, field by field."""
    from sophia_assets.metrics.catalog.entries import Metric

    for name, field in Metric.model_fields.items():
        if name != "name":
            click.echo(f"{name:<12} {'required' if field.is_required() else '':<9} {field.description}")
