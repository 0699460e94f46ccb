"""Hooks of the documentation site: an entry of the navigation that names a folder stands for the pages in it.

The folder's README comes first, the others follow in the order of their names. So a decision or a recipe that is added is
on the site without a change of its configuration.
"""

from pathlib import Path
from typing import TypeAlias

from mkdocs.config.defaults import MkDocsConfig

# An entry of the navigation is a page, or a title with a page or with more entries.
Entry: TypeAlias = "str | dict[str, str | list[Entry]]"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Expand the folders of the navigation."""
    config.nav = _expand_all(config.nav or [], Path(config.docs_dir))
    return config


def _expand_all(entries: list[Entry], docs: Path) -> list[Entry]:
    return [page for entry in entries for page in _expand(entry, docs)]


def _expand(entry: Entry, docs: Path) -> list[Entry]:
    if isinstance(entry, str):
        return [*_list_pages(entry, docs)] if entry.endswith("/") else [entry]
    ((title, value),) = entry.items()
    if isinstance(value, str) and not value.endswith("/"):
        return [entry]
    return [{title: _expand_all([value] if isinstance(value, str) else value, docs)}]


def _list_pages(folder: str, docs: Path) -> list[str]:
    names = {path.name for path in (docs / folder).glob("*.md")} - {"template.md"}
    return [folder + name for name in sorted(names, key=lambda name: (name != "README.md", name))]
