"""Download a list of URLs by img2dataset, once for each of its outputs.

    python img2dataset_outputs.py WORKS.json ADDRESS FOLDER

Runs in an environment that has img2dataset, without the project. One of the listed addresses answers 404, and one serves bytes
that are no picture, as in every list that is some years old.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

OUTPUTS = ("webdataset", "parquet", "files")


def main(works: Path, address: str, folder: Path) -> None:
    """Write `FOLDER/<output>` for each output."""
    from img2dataset import download

    rows = [
        {
            "url": f"{address}/{work['file']}",
            "caption": work["title"],
            "license": work["licence"],
            "creator": work["creator"],
            # As LAION has it: a number that is missing in some rows, which pandas turns into a float.
            "original_id": number if number % 2 else None,
        }
        for number, work in enumerate(json.loads(works.read_text(encoding="utf-8")))
    ]
    missing = {"caption": "Gone", "license": "CC0-1.0", "creator": None, "original_id": 1}
    rows += [{"url": f"{address}/{name}", **missing} for name in ("gone.jpg", "no-picture.jpg")]
    pq.write_table(pa.Table.from_pylist(rows), folder / "urls.parquet")
    for output in OUTPUTS:
        download(
            url_list=str(folder / "urls.parquet"),
            input_format="parquet",
            url_col="url",
            caption_col="caption",
            save_additional_columns=["license", "creator", "original_id"],
            output_format=output,
            output_folder=str(folder / output),
            processes_count=1,
            thread_count=4,
            image_size=256,
            resize_mode="keep_ratio",
            number_sample_per_shard=10,
            retries=0,
            enable_wandb=False,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
