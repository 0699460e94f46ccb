"""By which names published data sets call the columns that a registration understands.

Rules, in order:

1. A name in the table's own spelling comes first, in the table's order. Then names that differ by case, spaces, dashes and
   underscores only: `Source URL` is `source_url`.
2. A column that is not in the table has no meaning here.

Sources: https://huggingface.co/docs/datasets/image_dataset; LAION-5B's columns (https://laion.ai/blog/laion-5b); img2dataset's
README, "File structure"; WikiArt (https://huggingface.co/datasets/huggan/wikiart); YFCC100M and Flickr's own exports.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

COLUMNS: dict[str, tuple[str, ...]] = {
    "title": ("title", "caption", "text"),
    "licence": ("licence", "license", "licence_name", "license_name", "licence_id", "license_id", "usage_terms"),
    "licence_url": ("licence_url", "license_url"),
    "source_url": ("source_url", "url", "original_url", "image_url", "img_url", "source_image_url"),
    "snapshot_url": ("snapshot_url", "archive_url"),
    "version_date": ("version_date", "snapshot_date"),
    "creator": (
        *("creator", "author", "artist", "photographer", "creator_name", "author_name", "artist_name"),
        *("photographer_name", "owner_name", "byline"),
    ),
    "creator_url": ("creator_url", "author_url", "artist_url", "photographer_url"),
    "creator_role": ("creator_role",),
    "rights_holder": ("rights_holder", "rightsholder", "copyright_holder", "copyright_owner"),
    "acquired_from": ("acquired_from",),
    "acquired_at": ("acquired_at",),
    "sha256": ("sha256",),
}
# Columns that name a row's file, and those that hold its image.
FILE_COLUMNS = ("file_name", "image_file_name", "file", "file_path", "path", "image_path", "image", "img")
IMAGE_COLUMNS = ("image", "img", "jpg", "jpeg", "png", "webp", "gif", "tiff", "tif", "bmp", "avif", "jfif", "picture", "photo")
IMAGE_LIST_COLUMNS = ("images", "imgs", "pictures", "photos")

# Of a row's column names, beyond which what they mean is found anew for each row.
MAX_KEPT_CHARS = 4000


def fold_name(name: str) -> str:
    """Return a column's name without what makes no difference.

    >>> fold_name("Source URL"), fold_name("source-url")
    ('sourceurl', 'sourceurl')
    """
    return name.casefold().translate({ord(sign): None for sign in " \t-_\ufeff"})


def find_columns(names: Iterable[str], spellings: Iterable[str]) -> list[str]:
    """Return those of a row's columns that are one of these spellings, the best first.

    Args:
        names: the row's columns.
        spellings: of one meaning, the best first.

    >>> find_columns(["Text", "url", "title"], COLUMNS["title"])
    ['title', 'Text']
    """
    present = list(names)
    exact = [spelling for spelling in spellings if spelling in present]
    folded = {fold_name(spelling): None for spelling in spellings}
    similar = [name for fold in folded for name in present if name not in exact and fold_name(name) == fold]
    return exact + similar


def match_columns(names: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Return the columns of each meaning that a row has one of, the best first.

    >>> match_columns(["URL", "TEXT"])
    {'title': ['TEXT'], 'source_url': ['URL']}
    """
    present = tuple(names)
    # The rows of a table share their names. Long ones of a stranger's are not kept.
    return _known_match(present) if sum(map(len, present)) <= MAX_KEPT_CHARS else _match(present)


def _match(names: tuple[str, ...]) -> dict[str, list[str]]:
    matches = {meaning: find_columns(names, spellings) for meaning, spellings in COLUMNS.items()}
    return {meaning: columns for meaning, columns in matches.items() if columns}


_known_match = lru_cache(maxsize=512)(_match)


def has_column(names: Iterable[str], meaning: str) -> bool:
    """Say whether a table has a column of a meaning.

    >>> has_column(["URL", "TEXT"], "source_url")
    True
    """
    return bool(find_columns(names, COLUMNS[meaning]))
