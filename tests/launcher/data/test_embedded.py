"""Parquet with the pictures inside, as image data sets of the Hub are written."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from launcher.data.checkup import check_up
from launcher.data.fixing import write_good_rows
from launcher.data.rows import read_data
from launcher.data.sources import source_of
from launcher.errors import DataError
from launcher.training.labelled_rows import PicturePreparation, examples_of
from launcher.training.pictures import picture_preparation


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def png(shade: int) -> bytes:
    """A picture of one colour."""
    file = io.BytesIO()
    Image.new("L", (8, 8), shade).save(file, "PNG")
    return file.getvalue()


def table(path: Path, pictures: list[Any], labels: list[int | None]) -> Path:
    """A file as `datasets` writes it, classes named beside the schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    classes = {"names": ["cat", "dog"], "_type": "ClassLabel"}
    features = {"image": {"_type": "Image"}, "label": classes}
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    rows = [{"image": image, "label": label} for image, label in zip(pictures, labels, strict=True)]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)  # type: ignore[no-untyped-call,unused-ignore]
    return path


def inside(data: bytes) -> dict[str, Any]:
    """A picture that stands in its row."""
    return {"bytes": data, "path": "somewhere.png"}


def test_pictures_become_files_and_numbers_become_names(tmp_path: Path) -> None:
    """Each is a file with the very bytes; reading again makes none."""
    path = table(tmp_path / "pets.parquet", [inside(png(n)) for n in (1, 2)], [1, 0])

    first, again = read_data(path), read_data(path)

    assert [row["label"] for row in first.rows] == ["dog", "cat"]
    assert [Path(row["image"]).read_bytes() for row in first.rows] == [png(1), png(2)]
    assert first.rows == again.rows
    assert first.row_keys == again.row_keys


def test_what_is_no_picture_is_named_by_its_row(tmp_path: Path) -> None:
    """A check says so, and --fix writes the good ones with their files beside them."""
    pictures = [inside(png(1)), inside(b"hello"), inside(b""), None, inside(png(2)), inside(png(3))]
    path = table(tmp_path / "pets.parquet", pictures, [0, 1, 0, 1, 1, None])

    found = check_up(path)
    fixed = write_good_rows(source_of(path), tmp_path / "out.jsonl", ())

    assert [each.describe().removeprefix(f"{path}:") for each in found.problems] == [
        "2: image: is no picture (replace the picture or remove the row)",
        "3: image: is empty (replace the picture or remove the row)",
        "4: image: must be the path of a picture, not null (write its path)",
        "6: label: is null (write the class or remove the row)",
    ]
    assert not (tmp_path / "cache").exists(), "a check writes nothing"
    assert (fixed.rows, fixed.left_out) == (2, 4)
    assert [row["label"] for row in read_data(tmp_path / "out.jsonl").rows] == ["cat", "dog"]


def test_a_picture_that_breaks_off_is_named_by_its_row(tmp_path: Path) -> None:
    """Only decoding shows it, and then the row says more than the file it was put into."""
    path = table(tmp_path / "pets.parquet", [inside(png(1)), inside(png(2)[:45])], [0, 1])
    data = read_data(path)
    prepare = PicturePreparation(
        picture_preparation(_Config(), None)[0], tokens=17, room_bytes=1 << 20
    )

    prepare(data, 0, {"cat": 0, "dog": 1})
    with pytest.raises(DataError) as caught:
        prepare(data, 1, {"cat": 0, "dog": 1})

    assert caught.value.message.startswith(f"{path}:2: image: cannot be decoded: ")


class _Config:
    image_size = 8
    num_channels = 1


def test_a_table_of_paths_is_checked_like_a_folder(tmp_path: Path) -> None:
    """It has no tokens and no words to compare."""
    (tmp_path / "a.png").write_bytes(png(1))
    (tmp_path / "b.png").write_bytes(png(2))
    table_file = tmp_path / "pets.csv"
    table_file.write_text("path,label\na.png,cat\nb.png,dog\nc.png,dog\n")

    found = check_up(table_file)

    assert (found.rows, found.lengths) == (2, None)
    assert [each.describe() for each in found.problems] == [
        f"{table_file}:4: path: names a file that is not there (correct the path or remove the row)"
    ]


def test_pixels_beyond_the_room_are_made_when_they_are_wanted(tmp_path: Path) -> None:
    """Thousands of pictures take no more memory than the room; each batch is the same."""
    path = table(tmp_path / "pets.parquet", [inside(png(n)) for n in (1, 2, 3)], [0, 1, 0])
    data, made = read_data(path), list[str]()
    prepare, _ = picture_preparation(_Config(), None)

    def counting(name: str) -> Any:
        made.append(name)
        return prepare(name)

    rows = PicturePreparation(counting, tokens=17, room_bytes=1).all_rows(
        data, {"cat": 0, "dog": 1}
    )
    first, again = (examples_of(rows) for _ in range(2))

    assert made.count(rows[0].content) == 1, "kept"
    assert made.count(rows[2].content) == 2, "made for each batch"
    assert [each["labels"] for each in first] == [0, 1, 0]
    assert all(
        (a["pixel_values"] == b["pixel_values"]).all() for a, b in zip(first, again, strict=True)
    )


def test_deep_greys_keep_their_order(tmp_path: Path) -> None:
    """A picture of 16 bits is scaled, where Pillow would make all of it white."""
    import numpy as np

    shades = np.array([[0, 20_000], [40_000, 65_535]], dtype=np.uint16).repeat(4, 0).repeat(4, 1)
    Image.fromarray(shades).save(tmp_path / "deep.png")

    pixels = picture_preparation(_Config(), None)[0](str(tmp_path / "deep.png"))[0]

    assert pixels[0, 0] == -1
    assert pixels[-1, -1] == 1
    assert -0.5 < pixels[0, -1] < 0 < pixels[-1, 0] < 0.5
