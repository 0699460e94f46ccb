"""The order in which a group's help lists its commands: that of the work, not that in which the code names them."""

from typing import Any

from typer.core import TyperGroup


def in_order(*names: str) -> type[TyperGroup]:
    """Make the class of a group that lists these commands first, and any other after them.

    Args:
        names: of commands and of groups below the group.
    """

    class Ordered(TyperGroup):
        """A group of commands in the order of the work."""

        def list_commands(self, ctx: Any) -> list[str]:
            """Return the names in their order."""
            known = super().list_commands(ctx)
            return [name for name in names if name in known] + [name for name in known if name not in names]

    return Ordered
