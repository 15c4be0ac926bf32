from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.datasets.formats.samples import Scene, write_images
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError

BOX = "0 0.5 0.5 0.5 0.5"


def folder_of(
    root: Path, labels: dict[str, str | bytes], *, names: str | None = "cat\ndog"
) -> Path:
    """`images/NAME.png` of 40x20 and `labels/NAME.txt` for each, and a good pair beside."""
    labels = {"good": BOX, **labels}
    for name, content in labels.items():
        write_images((root / "images" / name).parent, [Scene(Path(name).name, (40, 20))])
        file = root / "labels" / f"{name}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if names is not None:
        (root / "classes.txt").write_text(names)
    return root


def entry_and_annotations(folder, name: str = "a.png", split: str = "all"):
    coco = folder.splits[split].coco
    entry = next(e for e in coco["images"] if e["file_name"] == name)
    return entry, [a for a in coco["annotations"] if a["image_id"] == entry["id"]]


def classes(folder) -> list[str]:
    return [c["name"] for c in next(iter(folder.splits.values())).coco["categories"]]


def test_boxes_polygons_and_tokens(tmp_path):
    text = "1 .25 0.5 5e-1 1.0\n\n0.0\t0 0 1 0 1 1\r\n  0 0.1 0.1 0.2 0.2  \r"
    entry, annotations = entry_and_annotations(read_folder(folder_of(tmp_path, {"a": text})))
    assert (entry["width"], entry["height"]) == (40, 20)
    assert entry["label_file"] == "labels/a.txt"
    assert [a["category_id"] for a in annotations] == [2, 1, 1]
    assert annotations[0]["bbox"] == [0, 0, 20, 20] and "segmentation" not in annotations[0]
    assert annotations[1]["segmentation"] == [[0, 0, 40, 0, 40, 20]]
    assert annotations[1]["bbox"] == [0, 0, 40, 20] and annotations[1]["area"] == 400


def test_boxes_that_reach_out_are_left_to_the_check(tmp_path):
    text = "0 1 0.5 0.5 0.5\n0 nan 0.5 0.5 0.5\n0 200 100 20 10\n0 0.5 0.5 -0.5 0"
    _, annotations = entry_and_annotations(read_folder(folder_of(tmp_path, {"a": text})))
    assert annotations[0]["bbox"] == [30, 5, 20, 10]
    assert np.isnan(annotations[1]["bbox"][0])
    assert annotations[2]["bbox"] == [7600, 1900, 800, 200]
    assert annotations[3]["bbox"] == [30, 10, -20, 0]


def test_an_empty_file_is_an_image_without_objects(tmp_path):
    for content in ("", "\n\n", b"\xef\xbb\xbf"):
        root = tmp_path / str(len(content))
        entry, annotations = entry_and_annotations(read_folder(folder_of(root, {"a": content})))
        assert "problem" not in entry and not annotations


def test_encodings(tmp_path):
    labels = {"a": b"\xef\xbb\xbf" + BOX.encode(), "b": BOX.encode("utf-16")}
    folder = folder_of(tmp_path, labels, names=None)
    (folder / "classes.txt").write_bytes("Käse\r\nBär\r\n".encode("latin-1"))
    data = read_folder(folder)
    assert classes(data) == ["Käse", "Bär"]
    assert [len(entry_and_annotations(data, name)[1]) for name in ("a.png", "b.png")] == [1, 1]


FAULTS = {
    "0 0.5 0.5 0.5": "line 1 has 4 columns",
    f"{BOX}\n{BOX} 0.9": "line 2 has 6 columns, neither a box nor a polygon: remove the confidence",
    "0 .1 .1 .2 .2 .3 .3 .4": "line 1 has 8 columns, neither a box nor a polygon",
    f"\n{BOX}\n2 .5 .5 .1 .1": "line 3 has the class 2, but only 2 are named, from 0",
    "-1 .5 .5 .1 .1": "line 1 begins with -1, not the number of a class",
    "1.5 .5 .5 .1 .1": "line 1 begins with 1.5",
    "1e300 .5 .5 .1 .1": "line 1 begins with 1e300",
    "cat .5 .5 .1 .1": "line 1 is not numbers: 'cat .5 .5 .1 .1'",
    "0,0.5,0.5,0.1,0.1": "line 1 is not numbers",
    "0 0,5 0,5 0,1 0,1": "line 1 is not numbers",
    "\0\1\2": "is not text",
}


@pytest.mark.parametrize("text", FAULTS)
def test_one_broken_file_of_many_is_recorded(tmp_path, text):
    data = read_folder(folder_of(tmp_path, {"a": text}))
    entry, annotations = entry_and_annotations(data)
    assert FAULTS[text] in entry["problem"] and "\n" not in entry["problem"]
    assert not annotations
    assert len(entry_and_annotations(data, "good.png")[1]) == 1


def test_images_without_labels_and_labels_without_images(tmp_path):
    folder = folder_of(tmp_path, {"a": BOX})
    (folder / "labels/lost.txt").write_text(BOX)
    (folder / "labels/readme.txt").write_text("made by me")
    write_images(folder / "images", [Scene("bare", (5, 5))])
    data = read_folder(folder)
    lost, annotations = entry_and_annotations(data, "lost")
    assert lost["problem"] == "has no image of its name" and not annotations
    assert lost["label_file"] == "labels/lost.txt" and lost["width"] == lost["height"] == 0
    assert "label_file" not in entry_and_annotations(data, "bare.png")[0]
    assert len(data.splits["all"].coco["images"]) == 4
    assert data.splits["all"].image_root == folder / "images"


def test_an_image_that_cannot_be_read(tmp_path):
    folder = folder_of(tmp_path, {"a": BOX})
    (folder / "images/a.png").write_bytes(b"not a picture")
    entry, annotations = entry_and_annotations(read_folder(folder))
    assert "image cannot be read" in entry["problem"] and not annotations


def test_sizes_are_those_of_the_upright_image(tmp_path):
    """Label tools show photos upright, and shares are of what they show."""
    folder = folder_of(tmp_path, {"a": BOX})
    (folder / "images/a.png").unlink()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(folder / "images/a.jpg", exif=exif)
    entry, (ann,) = entry_and_annotations(read_folder(folder), "a.jpg")
    assert (entry["width"], entry["height"]) == (20, 40) and ann["bbox"] == [5, 10, 10, 20]


def test_the_nearest_of_images_with_one_name(tmp_path):
    folder = folder_of(tmp_path, {"train/0": BOX, "val/0": f"{BOX}\n{BOX}"})
    write_images(folder / "masks/train", [Scene("0", (3, 3))])
    data = read_folder(folder)
    for split, count in (("train", 1), ("val", 2)):
        entry = next(
            e
            for e in data.splits[split].coco["images"]
            if e.get("label_file") == f"labels/{split}/0.txt"
        )
        assert (data.splits[split].image_root / entry["file_name"]).samefile(
            folder / f"images/{split}/0.png"
        )
        anns = [a for a in data.splits[split].coco["annotations"] if a["image_id"] == entry["id"]]
        assert len(anns) == count
    assert "1 images in no folder of a split: taken for training" in data.notes


class TestNames:
    def test_none(self, tmp_path):
        data = read_folder(folder_of(tmp_path, {"a": "3 .5 .5 .1 .1"}, names=None))
        assert classes(data) == ["class 0", "class 1", "class 2", "class 3"]
        assert any(note.startswith("4 classes without names") for note in data.notes)

    @pytest.mark.parametrize("file", ["classes.txt", "labels/classes.txt", "obj.names"])
    def test_lists(self, tmp_path, file):
        folder = folder_of(tmp_path, {"a": "2 .5 .5 .1 .1"}, names=None)
        (folder / file).write_text("cat\n\nred fox\n\n")
        data = read_folder(folder)
        assert classes(data) == ["cat", "class 1", "red fox"]
        assert entry_and_annotations(data)[1][0]["category_id"] == 3

    def test_lists_that_differ_are_refused(self, tmp_path):
        folder = folder_of(tmp_path, {"a": BOX}, names="cat\ndog")
        (folder / "labels/classes.txt").write_text("dog\ncat")
        with pytest.raises(UserError, match=r"differ: classes.txt and labels/classes.txt; keep"):
            read_folder(folder)

    def test_a_name_twice(self, tmp_path):
        with pytest.raises(UserError, match=r"classes.txt names the class 'cat' twice"):
            read_folder(folder_of(tmp_path, {"a": BOX}, names="cat\ncat"))


class TestDataYaml:
    def folder(self, root: Path, yaml: str) -> Path:
        labels = {"train/1": BOX, "train/2": BOX, "val/3": BOX, "extra/4": BOX}
        folder_of(root, labels, names=None)
        (root / "images/good.png").unlink()
        (root / "labels/good.txt").unlink()
        (root / "data.yaml").write_text(yaml, encoding="utf-8")
        return root

    def names(self, data) -> dict[str, list[str]]:
        return {
            k: sorted(e["label_file"][-5] for e in s.coco["images"]) for k, s in data.splits.items()
        }

    @pytest.mark.parametrize(
        "places",
        [
            "train: images/train\nval: images/val",
            "train: ../images/train\nval: ../images/val",  # Roboflow
            "path: ../datasets/mine\ntrain: images/train\nval: images/val",
            "path: .\ntrain: ./images/train/\nvalid: images/val",
            "train: /home/else/mine/images/train\nval: C:\\mine\\images\\val",
            "train: [images/train]\nval: [images/val]",
        ],
    )
    def test_splits(self, tmp_path, places):
        data = read_folder(self.folder(tmp_path, f"{places}\nnames: [cat, dog]\nnc: 2\n"))
        assert self.names(data) == {"train": ["1", "2"], "val": ["3"]}
        assert "1 images that no split of the data set's file names: left out" in data.notes
        assert data.splits["val"].source == tmp_path / "data.yaml"
        assert data.splits["val"].image_root == tmp_path / "images/val"

    def test_lists_of_files(self, tmp_path):
        folder = self.folder(tmp_path, "train: train.txt\nval: val.txt\nnames: {0: cat}")
        (folder / "train.txt").write_text("./images/train/1.png\n/home/me/images/extra/4.png\n")
        (folder / "val.txt").write_text("images\\val\\3.png\r\n")
        (folder / "interval.txt").write_text("images/train/2.png")
        assert self.names(read_folder(folder)) == {"train": ["1", "4"], "val": ["3"]}

    def test_one_folder_may_be_both_splits(self, tmp_path):
        data = read_folder(
            self.folder(tmp_path, "train: images/train\nval: images/train\nnames: [cat]")
        )
        assert self.names(data) == {"train": ["1", "2"], "val": ["1", "2"]}
        ids = [e["id"] for s in data.splits.values() for e in s.coco["images"]]
        assert len(set(ids)) == 4
        assert [len(s.coco["annotations"]) for s in data.splits.values()] == [2, 2]

    def test_a_split_that_is_not_there_is_told(self, tmp_path):
        yaml = "train: images/train\nval: images/val\ntest: ../test/images\nnames: [cat]"
        data = read_folder(self.folder(tmp_path, yaml))
        assert "1 split of data.yaml is not in the folder: test: ../test/images" in data.notes

    def test_names_stay_as_they_are_written(self, tmp_path):
        data = read_folder(self.folder(tmp_path, "names: {0: no, 1: 007, 3: 'ä'}\ntrain: images"))
        assert classes(data) == ["no", "007", "class 2", "ä"]

    def test_only_names(self, tmp_path):
        data = read_folder(self.folder(tmp_path, "names:\n- cat\n- dog\n"))
        assert self.names(data) == {"train": ["1", "2", "4"], "val": ["3"]}
        assert "1 images in no folder of a split: taken for training" in data.notes

    FAULTS = {
        "names: [cat\n": "data.yaml is not YAML",
        "names: [cat]\nnc: 2": "nc is 2, but names has 1: correct one of them",
        "names: {a: cat}": "names wants numbers with names, such as 0: cat",
        "names: {0: cat, 99999999: dog}": "names has numbers from 0 to 99999999",
        "names: cat": "names wants a list of names",
        "names: [[cat]]": "names wants a list of names",
        "names: [cat, cat]": "names the class 'cat' twice",
    }

    @pytest.mark.parametrize("yaml", FAULTS)
    def test_faults(self, tmp_path, yaml):
        with pytest.raises(UserError) as raised:
            read_folder(self.folder(tmp_path, yaml))
        assert self.FAULTS[yaml] in str(raised.value) and "data.yaml" in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_tags_run_nothing(self, tmp_path):
        yaml = f"names: [cat]\nx: !!python/object/apply:os.mkdir ['{tmp_path}/made']"
        read_folder(self.folder(tmp_path, yaml))
        assert not (tmp_path / "made").exists()

    def test_two_descriptions(self, tmp_path):
        folder = self.folder(tmp_path, "names: [cat]\ntrain: images")
        (folder / "other.yaml").write_text("names: [dog]\ntrain: images")
        (folder / "hyper.yaml").write_text("lr: 0.1")
        with pytest.raises(UserError, match=r"several files .*: data.yaml and other.yaml"):
            read_folder(folder)

    def test_keypoints(self, tmp_path):
        folder = self.folder(tmp_path, "names: [cat]\nkpt_shape: [2, 3]")
        (folder / "labels/train/1.txt").write_text(f"{BOX} 0.25 0.5 2 0 0 0")
        coco = read_folder(folder).splits["train"].coco
        assert coco["annotations"][0]["keypoints"] == [10, 10, 2, 0, 0, 0]
        assert coco["annotations"][0]["num_keypoints"] == 1
        assert coco["annotations"][0]["bbox"] == [10, 5, 20, 10]


def test_darknet_lists(tmp_path):
    """As CVAT exports it: paths begin with a folder that is not there."""
    root = tmp_path
    write_images(root / "obj_train_data", [Scene(str(k), (10, 10)) for k in range(3)])
    for k in range(3):
        (root / f"obj_train_data/{k}.txt").write_text(BOX)
    (root / "obj.names").write_text("cat\n")
    (root / "obj.data").write_text("classes = 1\ntrain = data/train.txt\nnames = data/obj.names\n")
    (root / "train.txt").write_text("data/obj_train_data/0.png\ndata/obj_train_data/2.png\n")
    (root / "valid.txt").write_text("data/obj_train_data/1.png\n")
    data = read_folder(root)
    names = {k: [e["file_name"] for e in s.coco["images"]] for k, s in data.splits.items()}
    assert names == {"train": ["0.png", "2.png"], "val": ["1.png"]}
    assert classes(data) == ["cat"]
