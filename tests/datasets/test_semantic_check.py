"""Label files are counted, and each planted fault is found with its file, value and remedy."""

import itertools
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.labelled_folder import SIZE, write_folder
from vitdet.datasets.label_table import LabelTable, numbered_table
from vitdet.datasets.semantic_check import LabelCounts, check_values, count_values, name_values
from vitdet.datasets.semantic_folder import pair_files
from vitdet.errors import UserError


def pairs(root: Path, split: str = "train") -> list[tuple[Path, Path]]:
    return pair_files(root / "images" / split, root / "masks" / split)


def counts_of(*files: dict[int, int]) -> LabelCounts:
    pixels = np.zeros((len(files), 256), np.int64)
    for row, file in zip(pixels, files, strict=True):
        row[list(file)] = list(file.values())
    return LabelCounts(tuple(f"{k}.png" for k in range(len(files))), pixels, len(files))


def test_counts_are_those_of_numpy(tmp_path: Path) -> None:
    write_folder(tmp_path, values=(0, 4, 4, 200))
    counts = count_values(pairs(tmp_path))
    expected = np.zeros((3, 256), np.int64)
    for row, (_, labels) in zip(expected, pairs(tmp_path), strict=True):
        for value in np.asarray(Image.open(labels)).ravel().tolist():
            row[value] += 1
    assert np.array_equal(counts.pixels, expected)
    assert counts.values == [0, 4, 200]
    assert counts.share([4]) == pytest.approx(0.5) and counts.share([0, 4, 200]) == 1
    assert counts.files == tuple(str(labels) for _, labels in pairs(tmp_path))


def test_of_many_files_the_same_sample_is_read(tmp_path: Path) -> None:
    write_folder(tmp_path)
    both = pairs(tmp_path) + pairs(tmp_path, "val")
    read = [count_values(both, max_files=2).files for _ in range(2)]
    assert read[0] == read[1] and len(read[0]) == 2
    assert count_values(both, max_files=2).num_files == 5


def test_processes_count_as_one_does(tmp_path: Path) -> None:
    write_folder(tmp_path)
    several = list(itertools.islice(itertools.cycle(pairs(tmp_path)), 50))
    counts = count_values(several)
    assert np.array_equal(counts.pixels[:3], count_values(pairs(tmp_path)).pixels)
    assert np.array_equal(counts.pixels[3:6], counts.pixels[:3]) and len(counts.pixels) == 50


def test_turned_photographs_have_the_size_that_opencv_reads(tmp_path: Path) -> None:
    write_folder(tmp_path)
    image = Image.open(tmp_path / "images/train/0.jpg").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(tmp_path / "images/train/0.jpg", exif=exif)
    assert image.size == SIZE[::-1]
    assert len(count_values(pairs(tmp_path)).files) == 3


@pytest.mark.parametrize("fault", ["size", "16 bit", "colours", "labels cut", "image cut", "text"])
def test_faulty_files_are_named(tmp_path: Path, fault: str) -> None:
    write_folder(tmp_path)
    labels, image = tmp_path / "masks/train/1.png", tmp_path / "images/train/1.jpg"
    rng = np.random.default_rng(0)
    match fault:
        case "size":
            Image.new("L", SIZE[::-1]).save(labels)
            message = r"masks/train/1\.png is 20x24, its image .*1\.jpg is 24x20.*nearest"
        case "16 bit":
            Image.fromarray(np.zeros(SIZE[::-1], np.uint16)).save(labels)
            message = r"masks/train/1\.png has more than 8 bits.*8-bit PNG"
        case "colours":
            Image.fromarray(rng.integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8)).save(labels)
            message = r"masks/train/1\.png has three channels.*classes\.txt"
        case "labels cut":
            labels.write_bytes(labels.read_bytes()[:90])
            message = r"masks/train/1\.png is damaged.*write it anew"
        case "image cut":
            image.write_bytes(image.read_bytes()[:-100])
            message = r"images/train/1\.jpg is damaged.*replace it"
        case "text":
            image.write_text("hello")
            message = r"images/train/1\.jpg is damaged or no image.*replace it"
    with pytest.raises(UserError, match=message) as raised:
        count_values(pairs(tmp_path))
    assert "\n" not in str(raised.value) and "more files" not in str(raised.value)
    shutil.copy(labels, tmp_path / "masks/train/2.png")
    shutil.copy(image, tmp_path / "images/train/2.jpg")
    with pytest.raises(UserError, match="1 more files have faults"):
        count_values(pairs(tmp_path))


CLASSES = ("sky", "road", "car")


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        (
            [{0: 1, 1: 1, 2: 1}, {0: 60, 1: 30, 2: 6, 3: 1}],
            [r"^1\.png has the value 3, .*\(these are 0 to 2\)", "1 of 2 files", r"1\.0% of the",
             "if 3 means no label, add `3: ignore` to classes.txt", "a first line `ignore`"],
        ),
        ([{1: 5, 2: 5, 3: 5}], ["0 never occurs, labels seem to count from 1: .* first line"]),
        ([{0: 5, 1: 1, 100: 5}], ["value 100", "add `100: ignore`", "add `100: name`"]),
        ([{0: 5, 7: 1, 9: 5}], ["value 7", "such values .7, 9.", "if 7 and 9 mean no label"]),
        ([{0: 5, 7: 1, 8: 1, 9: 5}], [r"values .7 to 9.", "where they are classes, name them"]),
        ([{0: 5, 255: 1}, {0: 2}], [r"0\.png and 1 others have pixels of 1 of 3 classes only",
                                    "255 ignored; if 255 is a class, add `255: road`"]),
        ([{255: 1}], ["0 of 3 classes only: values none"]),
    ],
)  # fmt: skip
def test_values_that_are_no_class(files: list[dict[int, int]], messages: list[str]) -> None:
    for message in messages:
        with pytest.raises(UserError, match=message):
            check_values(counts_of(*files), numbered_table(CLASSES), classes_file="classes.txt")


def test_values_of_published_data_sets_have_other_remedies() -> None:
    table = numbered_table(CLASSES)
    with pytest.raises(UserError, match=r"if 3 .*, write 255 .* reduce_zero_label=True"):
        check_values(counts_of({0: 1, 1: 1, 3: 1}), table)
    with pytest.raises(UserError, match=r"not the data set's own label files.*--data DIR"):
        check_values(counts_of({0: 1, 1: 1, 5: 1}), table)


def test_good_values_pass() -> None:
    check_values(counts_of({0: 1, 1: 9}, {2: 3, 255: 1}), numbered_table(CLASSES))
    check_values(counts_of({3: 1, 90: 9, 0: 3}), LabelTable(("a", "b"), (3, 90), frozenset({0})))


def test_values_name_themselves_if_they_count_classes() -> None:
    assert name_values([counts_of({0: 1, 255: 2}), counts_of({1: 1, 2: 1})], "classes.txt") == (
        *("class 0", "class 1", "class 2"),
    )
    for files, values in (({0: 1, 255: 1}, "0 and 255"), ({1: 1, 2: 1}, "1, 2"), ({0: 1}, "0")):
        with pytest.raises(UserError, match=rf"classes\.txt is missing, .*: {values}\. Write"):
            name_values([counts_of(files)], "classes.txt")


def test_camvid_void_is_no_class(shared_data: Path) -> None:
    camvid = shared_data / "camvid"
    counts = count_values(pair_files(camvid / "val", camvid / "valannot"))
    with pytest.raises(UserError, match=r"value 11, .*0 to 10.*26 of 26 files.*`11: ignore`"):
        check_values(counts, numbered_table([f"c{k}" for k in range(11)]), classes_file="c.txt")
    void = LabelTable(tuple(map(str, range(11))), tuple(range(11)), frozenset({11, 255}))
    check_values(counts, void)


def test_coco_ids_have_gaps(shared_data: Path, tmp_path: Path) -> None:
    masks = shared_data / "coco128_train/semantic_masks"
    (tmp_path / "images").mkdir()
    for path in sorted(masks.glob("*.png"))[:30]:
        image = masks.parent / "images" / f"{path.stem}.jpg"
        os.symlink(image, tmp_path / "images" / image.name)
    counts = count_values(pair_files(tmp_path / "images", masks))
    with pytest.raises(UserError, match=r"value (1\d\d), .* name them in c.txt by lines"):
        check_values(counts, numbered_table([f"c{k}" for k in range(81)]), classes_file="c.txt")
    with pytest.raises(UserError, match="no plain numbers of classes"):
        name_values([counts], "classes.txt")


def test_ade20k_counts_from_one(shared_data: Path) -> None:
    ade = shared_data / "ade20k_sample3"
    counts = count_values(pair_files(ade / "images", ade / "annotations"))
    names = [f"c{k}" for k in range(150)]
    check_values(counts, numbered_table(names, first=1))
    highest = max(counts.values)  # as if these were all classes there are
    with pytest.raises(UserError, match=f"value {highest}, .* a first line `ignore`"):
        check_values(counts, numbered_table(names[:highest]), classes_file="classes.txt")
