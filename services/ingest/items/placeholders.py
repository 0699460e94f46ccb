"""Words that stand in a data set where nobody is named: an owner called "Unknown" is no owner.

Rules, in order:

1. Case, accents, brackets, full stops and repeated spaces do not matter.
2. Only a whole value counts: "Anonymous Studio" and "Nan Goldin" are names.
3. A role behind the word changes nothing: "unknown artist", "author unknown".

Source: the values met in WikiArt, LAION, Flickr and museum exports, pandas' own spellings of a missing value
(https://pandas.pydata.org/docs/user_guide/io.html#na-and-missing-data-handling). "Unknown", "anonymous" and "various" are
there in the languages of Europe's larger countries, and in Turkish, Arabic, Hebrew, Hindi, Chinese, Japanese and Korean.
"""

import re
import unicodedata
from functools import lru_cache

# Longer texts are names, or no names at all.
MAX_PLACEHOLDER_CHARS = 40
# A missing value, as programs write it.
MISSING = frozenset(
    {"", "nan", "na", "n/a", "n a", "none", "null", "nil", "<na>", "#n/a", "undefined", "nat", "-nan", "missing"}
)
# Words of other languages, which a speller of English takes for mistakes: codespell:ignore-begin
_UNKNOWN = """
    unknown|anonymous|anon|various|unspecified|unnamed|uncredited|unattributed|unidentified|nobody|no one|not known
    not available|not specified|not stated|not given|not applicable
    no author|no artist|no creator|no name|tbd|tba|todo|unk|other|others
    various artists|various authors|several authors|several artists|name unknown|mixed|multiple
    unbekannt|unbekannter|unbekannte|anonym|anonymer|verschiedene|diverse|keine angabe|k a|ohne angabe|nicht bekannt|namenlos
    inconnu|inconnue|inconnus|anonyme|anonymes|divers|non renseigne|non specifie|sans auteur|auteurs divers|artistes divers
    desconocido|desconocida|anonimo|anonima|varios|varias|sin autor|no disponible|varios autores|varios artistas
    sconosciuto|sconosciuta|ignoto|ignota|vari|autori vari|aa vv|aavv|non disponibile|artisti vari
    desconhecido|desconhecida|varios autores|sem autor
    onbekend|onbekende|anoniem|verschillende
    okand|ukjent|ukendt|tuntematon|anonyymi|flera|flere
    nieznany|nieznana|anonimowy|anonimowa|rozni|brak|neznamy|neznama|anonymni|ruzni|necunoscut|ismeretlen|neveto
    неизвестный|неизвестен|неизвестно|неизвестная|аноним|анонимный|разные|невідомий|невідомо|анонім
    bilinmiyor|bilinmeyen|anonim|cesitli
    αγνωστος|ανωνυμος|αγνωστο
    مجهول|غير معروف|لا يوجد
    לא ידוע|אנונימי
    अज्ञात|अनाम
    未知|佚名|匿名|不詳|不详|无名氏|無名氏|作者不詳|作者不详|不明|作者不明|无|無
    미상|익명|작자미상|작자 미상|알 수 없음|없음
"""
_ROLES = """
    artist|artists|author|authors|creator|creators|photographer|photographers|painter|maker|user|person|owner|source
    kunstler|autor|urheber|fotograf|artiste|auteur|photographe|artista|fotografo|fotografa|autore|kunstenaar|sanatci
    художник|автор|фотограф
"""
# From here on English again: codespell:ignore-end


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    # The Turkish dotless i and the Scandinavian letters have no decomposition.
    plain = plain.translate({ord("ı"): "i", ord("ø"): "o", ord("ł"): "l"})
    return " ".join(re.sub(r"[._\"'`´()\[\]{}<>«»“”„*!;:,]+", " ", plain).split())


def _fold_all(words: str) -> frozenset[str]:
    return frozenset(_fold(name) for line in words.split("\n") for name in line.split("|"))


_NOBODY = _fold_all(_UNKNOWN) | frozenset(map(_fold, MISSING))
_ROLE_NAMES = _fold_all(_ROLES)
_NO_LETTER = re.compile(r"[\W_]*")


def is_missing(text: str) -> bool:
    """Say whether a text is what a program writes for a missing value.

    >>> is_missing(" NaN "), is_missing("Nan Goldin")
    (True, False)
    """
    return text.strip().casefold() in MISSING


def is_placeholder(name: str) -> bool:
    """Say whether a name stands for nobody.

    >>> is_placeholder("(Unknown)"), is_placeholder("Unknown Artist"), is_placeholder("N/A"), is_placeholder("?")
    (True, True, True, True)
    >>> is_placeholder("Anonymous Studio"), is_placeholder("Nan Goldin")
    (False, False)
    """
    if len(name) > MAX_PLACEHOLDER_CHARS:
        return False
    return _stands_for_nobody(name)


# A data set has few creators and many rows.
@lru_cache(maxsize=4096)
def _stands_for_nobody(name: str) -> bool:
    if _NO_LETTER.fullmatch(name):
        return True
    folded = _fold(name)
    if folded in _NOBODY:
        return True
    words = [word for word in folded.split() if word not in _ROLE_NAMES]
    return bool(words) and len(words) < len(folded.split()) and " ".join(words) in _NOBODY
