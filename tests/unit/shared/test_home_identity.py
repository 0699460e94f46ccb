"""A home folder and its database know each other; another folder is refused until it is adopted on purpose."""

import shutil
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.commands.main import app
from shared.errors import ConflictError
from shared.home_identity import FILE_NAME, adopt_home
from shared.settings import Settings
from shared.workspace import Workspace, open_workspace


def open_at(home: Path, database_url: str) -> Workspace:
    workspace = open_workspace(Settings(home=home, database_url=database_url))
    workspace.engine.dispose()
    return workspace


def test_two_homes_on_one_database_are_refused(tmp_path: Path, database_url: str) -> None:
    first = open_at(tmp_path / "a", database_url)
    assert open_at(tmp_path / "a", database_url).home == first.home
    with pytest.raises(ConflictError, match="sleeve home adopt") as caught:
        open_at(tmp_path / "b", database_url)
    assert caught.value.code == "home_foreign"
    # Refused before anything was made: no log key of its own, no log.
    assert not (tmp_path / "b" / "keys").exists()
    assert not (tmp_path / "b" / "log").exists()
    (tmp_path / "b" / FILE_NAME).write_text("another\n", encoding="ascii")
    with pytest.raises(ConflictError):
        open_at(tmp_path / "b", database_url)


def test_a_home_is_adopted_on_purpose_and_the_one_before_is_refused(tmp_path: Path, database_url: str) -> None:
    first = open_at(tmp_path / "a", database_url)
    (tmp_path / "a").rename(tmp_path / "moved")
    (tmp_path / "a").mkdir()
    (tmp_path / "moved" / FILE_NAME).rename(tmp_path / "a" / FILE_NAME)
    with pytest.raises(ConflictError):
        open_at(tmp_path / "moved", database_url)
    adopt_home(first.engine, tmp_path / "moved")
    first.engine.dispose()
    assert open_at(tmp_path / "moved", database_url).log.vkey == first.log.vkey
    with pytest.raises(ConflictError):
        open_at(tmp_path / "a", database_url)


def test_of_two_homes_that_open_a_new_database_at_once_one_is_refused(tmp_path: Path, database_url: str) -> None:
    open_at(tmp_path / "first", database_url)
    outcomes: list[str] = []

    def open_one(name: str) -> None:
        try:
            open_at(tmp_path / name, database_url)
            outcomes.append("opened")
        except ConflictError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=open_one, args=(name,)) for name in ("first", "first", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["home_foreign", "opened", "opened"]


def test_the_command_that_the_refusal_names_adopts_a_home(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLEEVE_DATABASE_URL", database_url)
    monkeypatch.setenv("SLEEVE_HOME", str(tmp_path / "restored"))
    first = open_at(tmp_path / "a", database_url)
    shutil.copytree(first.home, tmp_path / "restored", ignore=shutil.ignore_patterns(FILE_NAME))
    with pytest.raises(ConflictError):
        open_at(tmp_path / "restored", database_url)
    adopted = CliRunner().invoke(app, ["home", "adopt"])
    assert (adopted.exit_code, adopted.output.count("\n")) == (0, 1)
    open_at(tmp_path / "restored", database_url)
    with pytest.raises(ConflictError):
        open_at(tmp_path / "a", database_url)
