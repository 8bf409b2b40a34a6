"""What a reader sees: the briefing as Markdown and as one self-contained HTML file.

Belongs here: form, escaping, charts. Does not belong here: choosing or checking what is said.
"""

from sophia_assets.insight.rendering.html import render_html
from sophia_assets.insight.rendering.markdown import render_markdown

__all__ = ["render_html", "render_markdown"]
