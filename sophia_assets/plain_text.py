"""Text that somebody else wrote, as it may be shown: what cannot be seen, and what a terminal would obey, is left out.

Belongs here: that alone. Does not belong here: names within sentences (`insight.names`), escaping for HTML or Markdown.
"""

from __future__ import annotations

import unicodedata

#: Controls, directions of writing and zero widths, halves of pairs, private and unassigned ones, separators of lines.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

NEWLINE = "\n"


def visible(text: str, *, keep: str = "") -> str:
    """The text without characters that nobody sees; blanks of every kind are spaces. Those of `keep` stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if each in keep else " " if each.isspace() else each
        for each in text
        if each in keep or each.isspace() or unicodedata.category(each) not in _UNSEEN
    )
