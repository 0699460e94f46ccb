"""What commands are given, turned into the same requests that the API takes; what does not fit is one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from shared.command_line.terminal_text import echo
from shared.errors import InputError
from shared.regular_files import open_regular
from shared.schemas import describe_field_errors

Request = TypeVar("Request", bound=BaseModel)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, as the API gives it.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="How many at most.")]
Cursor = Annotated[str | None, typer.Option(help="Go on after an earlier page: its next_cursor.")]

# Every group of commands ends its help with this.
EXIT_STATUS = "Exit status: 0 done; 1 refused or failed, with one line on standard error; 2 the command line is wrong."


def build_request(model: type[Request], fields: Mapping[str, Any]) -> Request:
    """Build a request from options.

    Args:
        model: the request.
        fields: by name; an option that was not given is None, and left out.

    Raises:
        InputError: a value does not fit; the message names each.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InputError(f"options do not fit: {describe_field_errors(error, 'options')}", code="invalid_request") from error


def read_lines(file: Path) -> list[str]:
    """Read ids from a file, one a line; empty lines are left out.

    Raises:
        InputError: the file cannot be read.
    """
    return [line.strip() for line in read_bytes(file).decode("utf-8", "replace").splitlines() if line.strip()]


def read_bytes(file: Path) -> bytes:
    """Read a file that an argument names.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with open_regular(file) as opened:
            return opened.read()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", code="file_missing") from error


def show_json(answer: BaseModel) -> None:
    """Print an answer as JSON."""
    echo(answer.model_dump_json(indent=2))
