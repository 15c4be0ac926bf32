"""Ignored label, outputs and class weights of a segmentor agree with its labels."""

from pathlib import Path
from typing import Any

import pytest

from tests.datasets.labelled_folder import write_folder
from tests.engine.test_config_semantic import TINY
from vitdet.engine import load_config
from vitdet.errors import UserError


def load(root: Path, values: tuple[int, ...], **options: Any):
    names = [f"class {value}" for value in values]
    options = {key.replace("__", "."): value for key, value in options.items()}
    return load_config(TINY, data=write_folder(root, values=values, names=names), options=options)


def test_one_label_is_ignored_everywhere(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"decode_head\.ignore_index 7, .*seg_pad_val 255"):
        load(tmp_path, (0, 1), model__decode_head__ignore_index=7)
    with pytest.raises(UserError, match=r"val_evaluator\.ignore_index 9"):
        load(tmp_path, (0, 1), val_evaluator__ignore_index=9)
    everywhere = {
        f"{key}__ignore_index": 2
        for key in (
            "model__decode_head",
            "model__auxiliary_head",
            "val_evaluator",
            "test_evaluator",
        )
    }
    with pytest.raises(UserError, match=r"heads ignore the label 2, .*write `2: ignore`"):
        load(tmp_path, (0, 1), model__data_preprocessor__seg_pad_val=2, **everywhere)


def test_two_classes_have_two_outputs_or_a_sigmoid(tmp_path: Path) -> None:
    assert "out_channels" not in load(tmp_path, (0, 1)).model.decode_head
    one = dict(model__decode_head__out_channels=1)
    with pytest.raises(UserError, match=r"out_channels is 1, .*loss_decode\.use_sigmoid=True"):
        load(tmp_path, (0, 1), **one)
    config = load(tmp_path, (0, 1), **one, model__decode_head__loss_decode__use_sigmoid=True)
    assert config.model.decode_head.out_channels == 1
    with pytest.raises(UserError, match=r"decode_head\.out_channels is 1, but the data has 3"):
        load(tmp_path, (0, 1, 2), **one, model__decode_head__loss_decode__use_sigmoid=True)


def test_data_leaves_stated_outputs_open(tmp_path: Path) -> None:
    text = TINY.read_text() + 'model["decode_head"].update(out_channels=150)\n'
    (tmp_path / "config.py").write_text(text)
    config = load_config(tmp_path / "config.py", data=write_folder(tmp_path / "data"))
    assert "out_channels" not in config.model.decode_head
    with pytest.raises(UserError, match=r"out_channels is 5, but the data has 3 classes"):
        load(tmp_path / "other", (0, 1, 2), model__decode_head__out_channels=5)


def test_class_weights_are_as_many_as_classes(tmp_path: Path) -> None:
    key = "model__auxiliary_head__loss_decode__class_weight"
    load(tmp_path, (0, 1, 2), **{key: [1.0, 2.0, 3.0]})
    with pytest.raises(UserError, match=r"auxiliary_head\.loss_decode\.class_weight has 2 numbers"):
        load(tmp_path, (0, 1, 2), **{key: [1.0, 2.0]})


def test_data_takes_away_the_weights_of_other_classes(tmp_path: Path) -> None:
    weigh = 'model["decode_head"].update(num_classes=19)\n'
    weigh += 'model["decode_head"]["loss_decode"].update(class_weight=[2.0] * {})\n'
    data = write_folder(tmp_path / "data")
    (tmp_path / "config.py").write_text(TINY.read_text() + weigh.format(19))
    config = load_config(tmp_path / "config.py", data=data)
    assert "class_weight" not in config.model.decode_head.loss_decode
    (tmp_path / "other.py").write_text(TINY.read_text() + weigh.format(5))  # nobody's: a mistake
    with pytest.raises(UserError, match="class_weight has 5 numbers"):
        load_config(tmp_path / "other.py", data=data)
