"""Licences as SPDX expressions (ISO/IEC 5962), checked against the SPDX list."""

from functools import cache

from license_expression import ExpressionError, Licensing, get_spdx_licensing

from shared.errors import InputError


@cache
def _spdx() -> Licensing:
    return get_spdx_licensing()


def parse_licence(text: str | None) -> str:
    """Return a licence as a normalised SPDX expression.

    Args:
        text: an SPDX identifier or expression; `LicenseRef-<name>` for anything that is not on SPDX's list.

    Returns:
        The expression in SPDX's own spelling.

    Raises:
        InputError: nothing was given, or it is not SPDX.

    >>> parse_licence("cc-by-sa-4.0")
    'CC-BY-SA-4.0'
    """
    if not text or not text.strip():
        raise InputError("no licence given; expected an SPDX id such as CC0-1.0 or LicenseRef-…", code="licence_missing")
    try:
        parsed = _spdx().parse(text.strip(), validate=False)
    except (ExpressionError, RecursionError) as error:
        raise InputError(f"licence is no SPDX expression: {text[:200]!r}", code="licence_not_spdx") from error
    unknown = [key for key in _spdx().unknown_license_keys(parsed) if not key.startswith("LicenseRef-")]
    if unknown:
        raise InputError(
            f"licence {unknown[0]!r} is not on the SPDX list; write LicenseRef-{unknown[0]} if it is meant",
            code="licence_not_spdx",
        )
    return str(parsed)
