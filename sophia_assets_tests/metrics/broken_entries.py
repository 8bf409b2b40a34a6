"""A sound catalog, and the ways in which it is broken: what is replaced, where it is told, in which words."""

from __future__ import annotations

from dataclasses import dataclass

SOUND = """\
area: sales
defaults:
  owner: team:revenue
  access: [sales]
  sensitivity: internal

dimensions:
  owner: {column: owner, id: owner_id}

ambiguous: [deals]

metrics:
  wins:
    label: Wins
    description: Number of deals won.
    kind: flow
    table: marts.deal_states
    expression: count(*)
    where: is_won
    time: close_on
    valid: [valid_from, valid_to]
    dimensions: [owner]
    unit: count
    good: up
    periods: [qtd, last_30d]
    breakdowns: {owner: qtd}
    run_rate: working_days
    noun: the number of wins
    synonyms: [deals, victories]
  open_value:
    label: Open value
    description: Value of open deals.
    kind: stock
    table: marts.deal_states
    expression: sum(amount)
    where: is_open
    valid: [valid_from, valid_to]
    unit: usd
    good: up
    periods: [as_of]
    synonyms: [deals]
  value_per_win:
    label: Open value per win
    description: Wins over open value.
    kind: ratio
    of: wins
    per: open_value
    unit: number
    good: neutral
    periods: [last_30d]
"""


@dataclass(frozen=True)
class Broken:
    """`old` replaced by `new` (the first time it stands there), and what is said of it.

    The problem is told at the line that holds `at` (`new` unless given); `words` are in its message.
    """

    name: str
    old: str
    new: str
    words: tuple[str, ...]
    at: str = ""

    @property
    def text(self) -> str:
        assert self.old in SOUND, self.name
        return SOUND.replace(self.old, self.new, 1)

    @property
    def line(self) -> int:
        """The line, from 1, that the problem is told at."""
        lines = self.text.splitlines()
        marker = self.at or self.new.splitlines()[0]
        return next(number for number, line in enumerate(lines, 1) if marker in line)


BROKEN = (
    # The file.
    Broken("no YAML", "ambiguous: [deals]", "ambiguous: [deals", ("this is not YAML",), "metrics:"),
    Broken("no area", "area: sales\n", "", ("area: it is missing", "Allowed: sales, revenue"), "defaults:"),
    Broken("unknown area", "area: sales", "area: sale", ("area: 'sale' is not allowed", "Perhaps 'sales'")),
    Broken("unknown block", "ambiguous: [deals]", "ambigous: [deals]", ("no such block", "Perhaps 'ambiguous'")),
    Broken("no default", "  access: [sales]", "  unit: usd", ("it has no default", "owner, access"), "  unit: usd"),
    Broken("duplicate metric", "  open_value:\n", "  wins: # again\n", ("'wins' is there already in line 13",)),
    Broken(
        "duplicate field",
        "    unit: count",
        "    unit: count\n    unit: usd",
        ("'unit' is there already",),
        "unit: usd",
    ),
    # One field.
    Broken("unknown field", "    unit: count", "    units: count", ("there is no such field", "Perhaps 'unit'")),
    Broken(
        "missing field", "    label: Wins\n", "", ("wins.label: it is missing", "Give `label`: the name"), "  wins:"
    ),
    Broken("bad name", "  wins:\n", "  Wins!:\n", ("is not written as it must be", "small letters")),
    Broken("unknown unit", "unit: usd", "unit: euro", ("'euro' is not allowed", "usd, count, number, percent")),
    Broken("direction", "good: up", "good: higher", ("'higher' is not allowed", "up, down, neutral")),
    Broken("direction as yes", "good: up", "good: yes", ("put the word in quotes",)),
    Broken("kind", "kind: flow", "kind: flows", ("Perhaps 'flow' was meant",)),
    Broken("owner", "  owner: team:revenue", "  owner: Revenue", ("Write it as team:name",)),
    Broken("access area", "access: [sales]", "access: [sails]", ("Perhaps 'sales' was meant", "engineering")),
    Broken("no access", "access: [sales]", "access: []", ("it is empty", "nobody else may")),
    Broken("sensitivity", "sensitivity: internal", "sensitivity: secret", ("internal, confidential, restricted",)),
    Broken("period", "[qtd, last_30d]", "[qtd, last_90d]", ("'last_90d' is not allowed", "qtd, last_7d")),
    Broken("period twice", "[qtd, last_30d]", "[qtd, qtd]", ("qtd is there more than once",)),
    Broken("text for list", "periods: [as_of]", "periods: as_of", ("it is a text, not a list",)),
    Broken("number for text", "label: Wins", "label: 3", ("label: it is a number, not a text",)),
    Broken("empty text", "label: Wins", "label: ''", ("label: it is empty",)),
    Broken("block for text", "label: Wins", "label: {en: Wins}", ("it is a block, not a text",)),
    Broken("injected column", "time: close_on", "time: close_on; drop table x", ("not written as it must be",)),
    # Fields against each other.
    Broken("flow without time", "    time: close_on\n", "", ("time: a flow needs it",), "  wins:"),
    Broken("flow as of a day", "[qtd, last_30d]", "[as_of]", ("a flow has no `as_of`", "last_7d")),
    Broken("stock over a period", "[as_of]", "[qtd]", ("a stock is measured `as_of` a day, not qtd",)),
    Broken(
        "stock without past",
        "    valid: [valid_from, valid_to]\n    unit: usd",
        "    unit: usd",
        ("`covers` or",),
        "  open_value:",
    ),
    Broken("never computed", "    periods: [as_of]\n", "", ("it is never computed",), "  open_value:"),
    Broken(
        "below its grain",
        "    unit: count",
        "    unit: count\n    grain: quarter",
        ("shorter than its grain",),
        "periods: [qtd, last_30d]",
    ),
    Broken(
        "target out of range",
        "    unit: number",
        "    unit: percent\n    target: 45",
        ("45 is no percent, which is from 0 to 1",),
        "target: 45",
    ),
    Broken(
        "format",
        "    unit: count",
        "    unit: count\n    format: tenths",
        ("tenths does not fit count",),
        "format: tenths",
    ),
    Broken(
        "run-rate", "    unit: usd", "    unit: usd\n    run_rate: days", ("can be extrapolated",), "run_rate: days"
    ),
    Broken(
        "plural without noun", "    noun: the number of wins", "    plural: true", ("no noun that could be plural",)
    ),
    Broken(
        "undeclared breakdown",
        "dimensions: [owner]",
        "dimensions: []",
        ("'owner' is not among its dimensions",),
        "breakdowns",
    ),
    # Entries against each other.
    Broken(
        "unknown dimension",
        "dimensions: [owner]",
        "dimensions: [owner, planet]",
        ("'planet' is no dimension", "Use one of owner"),
    ),
    Broken(
        "unused dimension",
        "ambiguous:",
        "  stage: {column: stage, id: stage_id}\n\nambiguous:",
        ("no metric has this dimension",),
    ),
    Broken(
        "half a dimension", "{column: owner, id: owner_id}", "{column: owner}", ("dimensions.owner.id: it is missing",)
    ),
    Broken(
        "synonym of two",
        "[deals, victories]",
        "[deals, open value]",
        ("also means", "under `ambiguous`"),
        "    synonyms: [deals]",
    ),
    Broken(
        "ambiguous of one", "ambiguous: [deals]", "ambiguous: [deals, victories]", ("does not mean several metrics",)
    ),
    Broken("part of a ratio", "of: wins", "of: winns", ("there is no metric 'winns'", "Perhaps 'wins'")),
    Broken("ratio without part", "    per: open_value\n", "", ("per: a ratio needs it",), "  value_per_win:"),
    Broken(
        "ratio with a table",
        "    per: open_value",
        "    per: open_value\n    table: marts.deals",
        ("its parts have",),
        "table: marts.deals",
    ),
    Broken("unit of a ratio", "unit: number", "unit: percent", ("count over usd is no share",)),
    # The models.
    Broken(
        "unknown table",
        "table: marts.deal_states",
        "table: marts.deal_state",
        ("no model", "Perhaps 'marts.deal_states'"),
    ),
    Broken("unknown column", "sum(amount)", "sum(amout)", ("has no column 'amout'", "Perhaps 'amount'")),
    Broken("no SQL", "sum(amount)", "sum(amount", ("is no SQL",)),
    Broken("no aggregate", "sum(amount)", "amount * 2", ("is no aggregate", "sum(amount)")),
    Broken("half an aggregate", "sum(amount)", "sum(amount) + probability", ("stands outside an aggregate",)),
    Broken("unknown function", "sum(amount)", "summ(amount)", ("no function 'summ'", "Perhaps 'sum'")),
    Broken("window", "sum(amount)", "sum(amount) over (partition by owner)", ("window function",)),
    Broken("sum of a text", "sum(amount)", "sum(stage)", ("sum() of a text",)),
    Broken("own query", "sum(amount)", "(select max(amount) from marts.deals)", ("query of its own",)),
    Broken("named result", "sum(amount)", "sum(amount) as value", ("names its result",)),
    Broken("no condition", "where: is_open", "where: amount + 1", ("neither true nor false",)),
    Broken("condition of a text", "where: is_open", "where: stage and is_open", ("neither true nor false",)),
    Broken("aggregate as condition", "where: is_open", "where: sum(amount) > 3", ("holds an aggregate",)),
    Broken("unknown column in where", "where: is_open", "where: is_opn", ("Perhaps 'is_open' was meant",)),
    Broken("time of a text", "time: close_on", "time: stage", ("stage holds a text, not a date", "close_on")),
    Broken("time of a moment", "time: close_on", "time: valid_from", ("valid_from holds a timestamp, not a date",)),
    Broken("unknown time", "time: close_on", "time: closed_on", ("has no column 'closed_on'",)),
    Broken(
        "versions of days",
        "[valid_from, valid_to]",
        "[created_on, valid_to]",
        ("created_on holds a date, not a timestamp",),
    ),
    Broken(
        "dimension elsewhere",
        "{column: owner, id: owner_id}",
        "{column: plan, id: plan}",
        ("marts.deal_states has no plan",),
        "dimensions: [owner]",
    ),
)
