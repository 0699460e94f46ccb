"""By which names columns are found."""

from pathlib import Path

from tests.support.factories import png
from tests.unit.services.ingest.small_sources import columns, opened, write_parquet


def test_further_names_of_image_columns_are_known(tmp_path: Path) -> None:
    for name in ("img", "Image", "photo", "gif", "pixel_values"):
        path = write_parquet(tmp_path / f"{name}.parquet", [{name: {"bytes": png(1), "path": "a.png"}, **columns(1)}])
        assert [row.key for row in opened(path).rows()] == ["a.png"]
