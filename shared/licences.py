"""Licences as SPDX expressions (ISO/IEC 5962), checked against the SPDX list."""

import re
from functools import cache

from license_expression import ExpressionError, Licensing, get_spdx_licensing

from shared.errors import InputError
from shared.licence_names import build_licence_ref, translate_licence

# SPDX 2.3 annex D: `LicenseRef-` and an idstring.
_LICENCE_REF = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")


@cache
def _spdx() -> Licensing:
    return get_spdx_licensing()


def parse_licence(text: str | None) -> str:
    """Return a licence as a normalised SPDX expression.

    Args:
        text: an SPDX identifier or expression; `LicenseRef-<name>` for anything that is not on SPDX's list. The common
            spellings and addresses that `licence_names` knows are taken too.

    Returns:
        The expression in SPDX's own spelling.

    Raises:
        InputError: nothing was given, or it is not SPDX; the message proposes an id that would be taken.

    >>> parse_licence("cc-by-sa-4.0"), parse_licence("CC BY-SA 2.0")
    ('CC-BY-SA-4.0', 'CC-BY-SA-2.0')
    """
    if not text or not text.strip():
        raise InputError("no licence given; expected an SPDX id such as CC0-1.0 or LicenseRef-…", code="licence_missing")
    text = text.strip()
    translated = translate_licence(text)
    try:
        parsed = _spdx().parse(translated, validate=False)
    except (ExpressionError, RecursionError) as error:
        raise _not_spdx(text) from error
    unknown = [key for key in _spdx().unknown_license_keys(parsed) if _LICENCE_REF.fullmatch(key) is None]
    if unknown:
        raise _not_spdx(text if unknown[0] == translated else unknown[0])
    return str(parsed)


def _not_spdx(text: str) -> InputError:
    shown = text if len(text) <= 200 else text[:199] + "…"
    proposal = _propose(text)
    return InputError(
        f"licence {shown!r} is not on the SPDX list; write {proposal} if that is meant, or the SPDX id (https://spdx.org/licenses)",
        code="licence_not_spdx",
    )


def _propose(text: str) -> str:
    """Propose a licence that would be taken: the id behind `LicenseRef-`, or a valid `LicenseRef-`."""
    bare = translate_licence(text.removeprefix("LicenseRef-"))
    if bare in _spdx().known_symbols:
        return bare
    return bare if _LICENCE_REF.fullmatch(bare) else build_licence_ref(text)
