"""The page that reports are rendered on: strict templates that escape their values, and the formats of figures."""

import math
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from services.audit.audits.wording import choose_wording, void_lines
from services.audit.reports.gallery import text_uri


def build_environment() -> Environment:
    """Build what the reports' templates are rendered with: strict, escaping, with the formats of figures."""
    environment = Environment(
        loader=PackageLoader("services.audit.reports"),
        autoescape=select_autoescape(("html", "j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["wording"] = choose_wording
    environment.globals["void_lines"] = void_lines
    environment.filters["percent"] = format_percent
    environment.filters["p_value"] = format_p_value
    environment.filters["metric"] = format_metric
    environment.filters["rate"] = format_rate
    environment.filters["receipt_uri"] = lambda text: text_uri(text.encode(), "text/plain")
    return environment


def format_percent(share: float) -> str:
    """Format a share 0..1 as per cent, with more decimals near 0 and 100, so that neither is claimed where it is not meant.

    >>> [format_percent(share).replace(chr(160), " ") for share in (0.873, 0.021, 0.001, 0.00003, 0.9986, 0.99999, 1.0)]
    ['87 %', '2.1 %', '0.10 %', '0.003 %', '99.9 %', '99.999 %', '100 %']
    """
    distance = min(share, 1 - share)
    decimals = 0 if distance >= 0.1 or distance == 0 else 2 if share < 0.01 or share > 0.9994 else 1
    if distance > 0:
        decimals = max(decimals, math.ceil(-math.log10(100 * distance) - 1e-9))
    return f"{100 * share:.{decimals}f}\N{NO-BREAK SPACE}%"


def format_p_value(value: float) -> str:
    """Format a p-value to two digits; it is never 0, however large the control.

    >>> format_p_value(0.00025), format_p_value(1 / 47)
    ('0.00025', '0.021')
    """
    return f"{value:.2g}"


def format_metric(value: float | None) -> str:
    """Format a metric; null stands for +infinity, which identical images have.

    >>> format_metric(None), format_metric(0.98765)
    ('∞', '0.988')
    """
    return "∞" if value is None else f"{value:.3f}"


def format_rate(rate: dict[str, Any] | None) -> str:
    """Format a rate as hits of trials with its share; null stands for a rule that is undefined throughout.

    >>> format_rate({"hits": 1, "trials": 4, "value": 0.25}).replace(chr(160), " "), format_rate(None)
    ('1 of 4 (25 %)', 'undefined')
    """
    return "undefined" if rate is None else f"{rate['hits']:,} of {rate['trials']:,} ({format_percent(rate['value'])})"
