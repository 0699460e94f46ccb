"""Licences: SPDX's own spelling, the spellings of people, and proposals that would be taken."""

import re

import pytest

from shared.errors import InputError
from shared.licences import parse_licence


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("cc-by-4.0", "CC-BY-4.0"),
        ("CC BY-SA 2.0", "CC-BY-SA-2.0"),
        ("cc by nc-sa 4.0", "CC-BY-NC-SA-4.0"),
        ("CC-BY-SA-NC 3.0", "CC-BY-NC-SA-3.0"),
        ("Creative Commons Attribution-ShareAlike 4.0 International License", "CC-BY-SA-4.0"),
        ("Creative Commons Attribution Non-Commercial No Derivs 2.0", "CC-BY-NC-ND-2.0"),
        ("CC BY 3.0 DE", "CC-BY-3.0-DE"),
        ("cc-by", "LicenseRef-CC-BY"),
        ("Attribution-NonCommercial License", "LicenseRef-CC-BY-NC"),
        ("CC0", "CC0-1.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("Creative Commons Zero", "CC0-1.0"),
        ("CC0 1.0 Universal Public Domain Dedication", "CC0-1.0"),
        ("Public Domain", "LicenseRef-public-domain"),
        ("Public Domain Mark 1.0", "CC-PDM-1.0"),
        ("https://creativecommons.org/licenses/by/2.0/", "CC-BY-2.0"),
        ("http://www.creativecommons.org/licenses/by-nc-nd/3.0/deed.en", "CC-BY-NC-ND-3.0"),
        ("https://creativecommons.org/licenses/by-sa/4.0/legalcode", "CC-BY-SA-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/deed.de", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("https://choosealicense.com/licenses/cc-by-4.0/", "CC-BY-4.0"),
        ("https://spdx.org/licenses/MIT.html", "MIT"),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("odbl", "ODbL-1.0"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("LicenseRef-terms", "LicenseRef-terms"),
    ],
)
def test_common_spellings_have_an_id(text: str, licence: str) -> None:
    assert parse_licence(text) == licence


@pytest.mark.parametrize(
    ("text", "proposal"),
    [
        ("LicenseRef-CC BY-SA 2.0", "CC-BY-SA-2.0"),
        ("All rights reserved", "LicenseRef-All-rights-reserved"),
        ("LicenseRef-my_own/terms", "LicenseRef-my-own-terms"),
        ("© me", "LicenseRef-me"),
        ("©", "LicenseRef-other"),
        ("4", "LicenseRef-4"),
        ("(((", "LicenseRef-other"),
        ("MIT AND (my terms)", "LicenseRef-my-terms"),
        ("x" * 5000, "LicenseRef-" + "x" * 100),
        ("CC-BY-9.9", "LicenseRef-CC-BY-9.9"),
    ],
)
def test_what_is_proposed_would_be_taken(text: str, proposal: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_licence(text)
    assert caught.value.code == "licence_not_spdx"
    [proposed] = re.findall(r"write (\S+) if", caught.value.message)
    assert proposed == proposal
    assert parse_licence(proposed) == proposed
