"""Licences as people and data sets write them, turned into SPDX ids where the words say which licence is meant.

Rules, in order:

1. The address of a licence is turned into the id that the address names.
2. A Creative Commons licence is known by its elements, in signs or in words. With a version it has SPDX's id. Without one it
   has none, and becomes `LicenseRef-CC-…`: nobody said which version.
3. "Public domain" is no licence of Creative Commons and becomes `LicenseRef-public-domain`.
4. Anything else is left as it is.

Sources: the elements and addresses, https://creativecommons.org/share-your-work/cclicenses/; the public domain tools,
https://creativecommons.org/public-domain/; pages of licences, https://spdx.org/licenses/, https://choosealicense.com/licenses/
and https://opensource.org/licenses; short names, the licence field of https://huggingface.co/docs/hub/repositories-licenses.
"""

import re

_HOST = r"https?://(?:www\.)?"
_END = r"/?(?:(?:deed|legalcode)(?:\.[\w-]+)?)?(?:[?#].*)?"
_DEED = re.compile(rf"{_HOST}creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)(?:/([a-z]{{2,3}}))?{_END}", re.IGNORECASE)
_ZERO = re.compile(rf"{_HOST}creativecommons\.org/publicdomain/zero/1\.0{_END}", re.IGNORECASE)
_MARK = re.compile(rf"{_HOST}creativecommons\.org/publicdomain/mark/1\.0{_END}", re.IGNORECASE)
_PAGE = re.compile(
    rf"{_HOST}(?:spdx\.org/licenses|choosealicense\.com/licenses|opensource\.org/licenses?)/([A-Za-z0-9.+-]+?)"
    r"(?:\.html|\.json|\.php)?/?(?:[?#].*)?"
)

# In words, longest first; what is left over of them is parted by dashes.
_NOISE = r"\b(?:the|public|domain|licensed|under|licen[cs]es?|international|unported|generic|universal|dedication|and)\b"
_WORDS = (
    (re.compile(r"creative\s*commons"), "cc"),
    (re.compile(r"non[\s-]*commercial"), "nc"),
    (re.compile(r"no[\s-]*deriv(?:ative)?s?(?:\s+works)?"), "nd"),  # codespell:ignore ative,nd
    (re.compile(r"share[\s-]*alike"), "sa"),
    (re.compile(r"attribution"), "by"),
    (re.compile(_NOISE), " "),
)
_SPELLED = re.compile(r"(?:cc-)?(by(?:-(?:nc|nd|sa))*)(?:-?v?(\d)(?:\.(\d))?)?(?:-([a-z]{2,3}))?")  # codespell:ignore nd
_ELEMENTS = ("by", "nc", "nd", "sa")  # codespell:ignore nd
# Names as they stand. Those of the Hugging Face Hub have one version each in SPDX's list.
_WHOLE_NAMES = {
    "public domain": "LicenseRef-public-domain",
    "publicdomain": "LicenseRef-public-domain",
    "in the public domain": "LicenseRef-public-domain",
    "pd": "LicenseRef-public-domain",
    "public domain mark": "CC-PDM-1.0",
    "public domain mark 1.0": "CC-PDM-1.0",
    "pdm": "CC-PDM-1.0",
    "pdm 1.0": "CC-PDM-1.0",
    "cc pdm": "CC-PDM-1.0",
    "cc-pdm": "CC-PDM-1.0",
    "cc pdm 1.0": "CC-PDM-1.0",
    "pddl": "PDDL-1.0",
    "odc-by": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "apache": "Apache-2.0",
}
_ZERO_NAME = re.compile(r"(?:cc-)?(?:cc-?0|cc-?zero)(?:-1\.0)?")
# All that the name after LicenseRef- may have: SPDX 2.3 annex D, `idstring`.
_NO_ID = re.compile(r"[^A-Za-z0-9.-]+")


def translate_licence(text: str) -> str:
    """Return the SPDX id for a licence as people write it; the text as it is where it has none.

    >>> translate_licence("https://creativecommons.org/licenses/by-sa/4.0/"), translate_licence("CC BY-SA 2.0")
    ('CC-BY-SA-4.0', 'CC-BY-SA-2.0')
    >>> translate_licence("Public Domain"), translate_licence("cc-by"), translate_licence("MIT")
    ('LicenseRef-public-domain', 'LicenseRef-CC-BY', 'MIT')
    """
    text = text.strip()
    return _from_address(text) or _from_words(text) or text


def build_licence_ref(text: str) -> str:
    """Build a valid `LicenseRef-` of any text.

    >>> build_licence_ref("All rights reserved"), build_licence_ref("LicenseRef-©")
    ('LicenseRef-All-rights-reserved', 'LicenseRef-other')
    """
    name = _NO_ID.sub("-", text.strip().removeprefix("LicenseRef-")).strip("-.")[:100]
    return f"LicenseRef-{name or 'other'}"


def _from_address(text: str) -> str | None:
    if (deed := _DEED.fullmatch(text)) is not None:
        port = f"-{deed[3].upper()}" if deed[3] else ""
        return f"CC-{deed[1].upper()}-{deed[2]}{port}"
    if _ZERO.fullmatch(text) is not None:
        return "CC0-1.0"
    if _MARK.fullmatch(text) is not None:
        return "CC-PDM-1.0"
    page = _PAGE.fullmatch(text)
    return page[1] if page is not None else None


def _from_words(text: str) -> str | None:
    small = " ".join(text.casefold().replace("_", "-").split())
    if small in _WHOLE_NAMES:
        return _WHOLE_NAMES[small]
    for words, sign in _WORDS:
        small = words.sub(sign, small)
    small = re.sub(r"[\s,/()-]+", "-", small).strip("-.")
    if _ZERO_NAME.fullmatch(small) is not None:
        return "CC0-1.0"
    spelled = _SPELLED.fullmatch(small)
    return _build_id(*spelled.groups()) if spelled is not None else None


def _build_id(elements: str, major: str | None, minor: str | None, port: str | None) -> str:
    signs = [sign for sign in _ELEMENTS if sign in elements.split("-")]
    name = "CC-" + "-".join(signs).upper()
    if major is None:
        return f"LicenseRef-{name}"
    return f"{name}-{major}.{minor or '0'}" + (f"-{port.upper()}" if port else "")
