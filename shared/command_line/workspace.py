"""The workspace that a command works on; what it takes to open one is imported when a command asks for it.

The command line is read before that: asking for help, and verifying what others recorded, need no database.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.workspace import Workspace


def open_home() -> "Workspace":
    """Open the workspace that the settings in the environment name.

    Raises:
        InputError: a setting cannot be accepted, or what it names is unusable.
        UnavailableError: the database does not answer.
    """
    from shared.settings import load_settings
    from shared.workspace import open_workspace

    return open_workspace(load_settings())
