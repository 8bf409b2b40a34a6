"""Rules in plain words."""

from __future__ import annotations

from sophia_assets.sources.columns import EXISTS, MOVED_WITHIN, REFERS_TO
from sophia_assets.sources.declarations import Expectation

_RULES_IN_WORDS = {
    "column_values_to_not_be_null": "has a value",
    "column_values_to_be_unique": "is never repeated",
    "compound_columns_to_be_unique": "are never repeated together",
    "column_values_to_be_between": "lies in range",
    "column_values_to_be_in_set": "is one of the known values",
    "column_values_to_be_in_type_list": "is a number",
    EXISTS: "comes from the system",
}


def in_words(declared: Expectation) -> str:
    """What an expectation asks for, in plain words."""
    arguments = dict(declared.arguments)
    subject = arguments.pop("column", None) or ", ".join(arguments.pop("column_list", ())) or "the table"
    mostly = arguments.pop("mostly", None)
    if declared.kind == MOVED_WITHIN:
        words = f"the newest {subject} lies within {arguments['days']} days of the time up to which the table was read"
    elif declared.kind == REFERS_TO:
        words = f"{subject} is the {arguments['parent_column']} of a row of {arguments['table']}"
    else:
        arguments.pop("type_list", None)
        rule = _RULES_IN_WORDS.get(declared.kind) or declared.kind.replace("_", " ")
        limits = ", ".join(
            f"{key.replace('_', ' ')} {', '.join(map(str, value)) if isinstance(value, (list, tuple, set)) else value}"
            for key, value in arguments.items()
            if value is not None
        )
        words = f"{subject} {rule}" + (f" ({limits})" if limits else "")
    return f"{words}, in at least {mostly:.0%} of rows" if mostly is not None else words
