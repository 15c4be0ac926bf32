"""An exported file that finds the same in any image, and needs no torch."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vitdet.inference.model_card import KEY, ModelCard

BOXES = np.float32([[[4, 6, 30, 40], [10, 10, 20, 20]]])
SCORES = np.float32([[0.9, 0.4]])
LABELS = np.int64([[1, 0]])


def save_constant_model(path: Path) -> Path:
    """Write it; boxes are in pixels of the input, into which images are resized: 64 x 64."""
    constants = dict(boxes=BOXES, scores=SCORES, labels=LABELS)
    initializers, nodes, outputs = [], [], []
    nodes.append(helper.make_node("Shape", ["images"], ["batch"], start=0, end=1))
    for name, value in constants.items():
        rest = np.array(value.shape[1:], np.int64)
        initializers += [
            numpy_helper.from_array(value, f"{name}_of_one"),
            numpy_helper.from_array(rest, f"{name}_shape"),
        ]
        nodes.append(
            helper.make_node("Concat", ["batch", f"{name}_shape"], [f"{name}_of_all"], axis=0)
        )
        nodes.append(helper.make_node("Expand", [f"{name}_of_one", f"{name}_of_all"], [name]))
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        outputs.append(helper.make_tensor_value_info(name, kind, ["B", *value.shape[1:]]))
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["B", 64, 64, 3])
    graph = helper.make_graph(nodes, "constant", [images], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    card = ModelCard("detection", ("ant", "bee"), (64, 64), (64, 64), (0, 0, 0))
    helper.set_model_props(model, {KEY: card.to_json()})
    onnx.save(model, path)
    return path
