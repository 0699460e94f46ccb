"""The workspace that a command works on; what it takes to open one is imported when a command asks for it.

The command line is read before that: asking for help, and verifying what others recorded, need no database.
"""

from shared.settings import load_settings
from shared.workspace import Workspace, open_workspace


def open_home() -> Workspace:
    """Open the workspace that the settings in the environment name.

    Raises:
        InputError: a setting cannot be accepted, or what it names is unusable.
        UnavailableError: the database does not answer.
    """
    return open_workspace(load_settings())
