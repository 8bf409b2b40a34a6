"""Plants every fault, one after another, and prints which the doctor names rightly.

`python -m sophia_assets_tests.doctor.faults [--home DIR] [--only WORDS]`; without a home, one is made first.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

from sophia_assets.home import Home
from sophia_assets_tests.doctor.cases_of_home import CASES as OF_HOME
from sophia_assets_tests.doctor.cases_of_systems import CASES as OF_SYSTEMS
from sophia_assets_tests.doctor.ground import Unplantable, examined, prepared
from sophia_assets_tests.finished_home import build

CASES = (*OF_SYSTEMS, *OF_HOME)


@click.command()
@click.option("--home", type=click.Path(path_type=Path, exists=True), help="A finished home (it is copied).")
@click.option("--only", default="", help="Only the faults whose names hold this.")
@click.option("--verbose", is_flag=True, help="Print every finding that is not well.")
def main(home: Path | None, only: str, verbose: bool) -> None:
    """Print a line per fault, and how many were named rightly."""
    cases = [case for case in CASES if only in case.name]
    planted, named, began = 0, 0, time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        prepared(Home(home) if home else build(Path(folder) / "home")) as ground,
    ):
        for case in cases:
            try:
                report, wrong = examined(case, ground)
            except Unplantable as error:
                click.echo(f"not planted      {case.name}: {error}")
                continue
            planted += 1
            named += not wrong
            click.echo(f"{'rightly' if not wrong else 'WRONGLY'}  {report.seconds:4.1f} s  {case.name}")
            for line in wrong:
                click.echo(f"         {line}")
            if verbose:
                for each in report.findings:
                    if each.standing in ("problem", "warning"):
                        click.echo(f"         {each.area}/{each.subject}: {each.told} -> {each.remedy}")
    click.echo(f"{named} of {planted} faults named rightly, in {time.monotonic() - began:.0f} s")
    sys.exit(named < planted)


def _made(home: Path | None, folder: Path) -> Home:
    return Home(home) if home else build(folder / "home")


if __name__ == "__main__":
    main()
