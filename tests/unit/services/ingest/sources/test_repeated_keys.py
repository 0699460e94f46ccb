"""Keys never collide: shards and rows that use one name are told apart."""

from pathlib import Path

from shared.workspace import Workspace
from tests.support.factories import png
from tests.unit.services.ingest.small_sources import add, columns, keys_of, opened, sample, write_parquet, write_tar


def test_tars_of_a_folder_may_reuse_keys(any_workspace: Workspace, tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", [*sample("0", 0), *sample("1", 1)])
    write_tar(tmp_path / "b.tar", [*sample("0", 2), *sample("2", 3)])
    first, second = add(any_workspace, tmp_path), add(any_workspace, tmp_path)
    assert (first.created, first.bad, second.created, second.known) == (4, [], 0, 4)
    assert keys_of(any_workspace) == ["1", "2", "a/0", "b/0"]


def test_the_same_picture_under_one_key_with_another_record_is_another_item(workspace: Workspace, tmp_path: Path) -> None:
    write_tar(tmp_path / "a.tar", sample("0", 0, title="A"))
    write_tar(tmp_path / "b.tar", sample("0", 0, title="B"))
    assert (add(workspace, tmp_path).created, add(workspace, tmp_path).known) == (2, 2)


def test_tars_added_one_by_one_may_reuse_keys(workspace: Workspace, tmp_path: Path) -> None:
    paths = [write_tar(tmp_path / f"{name}.tar", sample("0", number)) for number, name in enumerate("ab")]
    assert [add(workspace, path).created for path in paths] == [1, 1]
    assert [add(workspace, path).known for path in paths] == [1, 1]
    assert keys_of(workspace) == ["0", "b/0"]


def test_another_record_under_a_key_is_a_conflict_as_before(workspace: Workspace, tmp_path: Path) -> None:
    assert add(workspace, write_tar(tmp_path / "a.tar", sample("0", 0))).created == 1
    result = add(workspace, write_tar(tmp_path / "a.tar", sample("0", 0, title="another")))
    assert [bad.error.code for bad in result.bad] == ["item_record_differs"]


def test_rows_of_parquet_may_share_the_name_of_their_file(any_workspace: Workspace, tmp_path: Path) -> None:
    for split, start in (("train", 0), ("test", 4)):
        # The library keeps the last part of a path only: cat/0.png and dog/0.png are both 0.png.
        rows = [{"image": {"bytes": png(start + n), "path": f"{n % 2}.png"}, **columns(n)} for n in range(4)]
        (tmp_path / "in" / "data").mkdir(parents=True, exist_ok=True)
        write_parquet(tmp_path / "in" / "data" / f"{split}-00000-of-00001.parquet", rows)
    (tmp_path / "in" / "README.md").write_text("# words", encoding="utf-8")
    source = opened(tmp_path / "in")
    assert (source.kind, source.count()) == ("parquet", 8)
    first, second = add(any_workspace, tmp_path / "in"), add(any_workspace, tmp_path / "in")
    assert (first.created, first.no_pictures, first.bad, second.created, second.known) == (8, 1, [], 0, 8)
    assert "data/test-00000-of-00001/3/1.png" in keys_of(any_workspace)
