"""The page of reports: values are escaped, and a name that is not there is an error."""

import pytest
from jinja2 import UndefinedError

from services.audit.reports.page import build_environment, format_rate


def render(template: str, **values: object) -> str:
    return build_environment().from_string(template).render(**values)


def test_values_are_escaped_and_figures_formatted() -> None:
    assert render("{{ name }}", name="<script>") == "&lt;script&gt;"
    assert render("{{ share | percent }}", share=0.5) == "50\N{NO-BREAK SPACE}%"
    assert render("{{ value | metric }}", value=None) == "∞"
    assert render("{{ text | receipt_uri }}", text="a").startswith("data:text/plain;base64,")


def test_a_missing_name_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("{{ nothing }}")


def test_a_rate_has_its_denominator() -> None:
    assert format_rate({"hits": 1200, "trials": 4800, "value": 0.25}).startswith("1,200 of 4,800 (25")
