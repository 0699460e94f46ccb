"""Figures as SVG that can be read in grey, printed, and heard by those who cannot see them."""

import io
from contextlib import AbstractContextManager
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

GENERATION_INK = "#1f2933"
CONTROL_INK = "#9aa5b1"
RULE_INK = "#b42318"


def styled() -> AbstractContextManager[None]:
    """Return a context in which figures are drawn in the reports' style.

    Text as outlines, so that the page looks alike everywhere; ids from a fixed salt, so that it is the same bytes again.
    """
    return mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "sleeve", "font.size": 9})


def to_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """Turn a figure into one SVG element that names itself.

    Args:
        figure: drawn inside `styled()`.
        name: unique on the page.
        title: what is shown.
        description: what a reader sees in it, with its figures.
    """
    svg = io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    text = svg.getvalue().decode()
    body = text[text.index("<svg") + len("<svg ") :]
    opening, _, rest = body.partition(">")
    return (
        f'<svg role="img" aria-labelledby="{name}-title {name}-text" {opening}>'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-text">{escape(description)}</desc>{rest}'
    )
