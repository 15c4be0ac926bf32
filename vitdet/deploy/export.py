"""`vitdet export`: a checkpoint as a file for another runtime, checked against torch at once."""

import copy
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from vitdet.datasets.image_sources import images_of
from vitdet.deploy.exportable import exportable
from vitdet.deploy.exported_model import ExportedModel
from vitdet.deploy.parity import FULL, HALF, Parity, Tolerance, compare
from vitdet.deploy.program_predictor import ProgramPredictor
from vitdet.errors import UserError
from vitdet.inference import Predictor
from vitdet.inference.exported_predictor import ExportedPredictor
from vitdet.inference.model_card import KEY, ModelCard
from vitdet.inference.onnx_predictor import OnnxPredictor
from vitdet.inference.torch_predictor import TorchPredictor

Format = Literal["onnx", "torch_export"]
_TRACED_BATCH = 2  # what is traced with one image may hold for one only
_STEP = 32  # that sizes are rounded up to
_SMALLEST, _LARGEST = 64, 8192  # sides, where they are not fixed


def export(
    checkpoint: str | Path,
    out: str | Path | None = None,
    *,
    file_format: Format = "onnx",
    size: tuple[int, int] | None = None,
    dynamic: bool = False,
    half: bool = False,
    images: Sequence[str | Path] = (),
    trusted_modules: Sequence[str] = (),
) -> Path:
    """Write a trained model as ONNX or as `torch.export` saves it, for any number of images.

    Args:
        checkpoint: of a run, or published.
        out: file to write; by default the checkpoint's name with another ending.
        size: (H, W) of the input, by default what the recipe resizes a landscape photo to; larger
            and smaller photos are resized into it.
        dynamic: images of any size, up to multiples that spare the layers padding, where the
            model's operations allow it.
        half: weights and arithmetic of the network in half precision, inputs and outputs as ever.
        images: photos to check the file with.
        trusted_modules: as for `Predictor`.

    Raises:
        UserError: the model cannot be exported, or not so; a package is missing; the file disagrees
            with torch.
    """
    _require(file_format)
    sources = [one.image for one in images_of(list(images))] if images else []
    predictor = Predictor(checkpoint, "cpu", trusted_modules=trusted_modules)
    if not isinstance(predictor, TorchPredictor):
        raise UserError(f"{checkpoint} is an exported file already")
    module = exportable(copy.deepcopy(predictor.model) if half else predictor.model)
    if half:
        module.halve()
    if dynamic and module.task == "segmentation":
        # Pooling to a grid, and resizing to another map's size, are traced for one size.
        raise UserError("a segmentor is exported for one size: leave --dynamic out, give --size")
    scale = predictor.scale
    if scale is None:
        raise UserError("the test pipeline has no Resize with a scale: nothing says which size")
    size = size or tuple(-(-side // _STEP) * _STEP for side in (min(scale), max(scale)))
    card = ModelCard(
        task=module.task,
        class_names=tuple(predictor.class_names),
        scale=scale,
        size=None if dynamic else size,
        multiple=module.multiple,
        fill=module.fill,
        colours=tuple(map(tuple, predictor.colours)),
    )
    suffix = ".onnx" if file_format == "onnx" else ".pt2"
    target = Path(out) if out is not None else Path(checkpoint).with_suffix(suffix)
    program = _trace(module, size, dynamic=dynamic)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            written = Path(folder, target.name)
            if file_format == "onnx":
                _write_onnx(program, written, card, module.output_names)
            else:
                torch.export.save(program, written, extra_files={f"{KEY}.json": card.to_json()})
            runtime = OnnxPredictor if file_format == "onnx" else ProgramPredictor
            tolerance = HALF if half else FULL
            report = _check(runtime, written, predictor, sources=sources, tolerance=tolerance)
            written.replace(target)  # a wrong file would be worse than none, or than one before
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from error
    sys.stdout.write(f"{target}: {report}\n")
    return target


def _trace(module: ExportedModel, size: tuple[int, int], *, dynamic: bool) -> Any:
    symbols: dict[int, Any] = {0: torch.export.Dim("batch", min=1, max=1024)}
    if dynamic:
        multiple = module.multiple
        fewest = -(-_SMALLEST // multiple)
        size = (2 * fewest * multiple, 3 * fewest * multiple)
        for axis, name in ((1, "rows"), (2, "columns")):
            symbols[axis] = multiple * torch.export.Dim(name, min=fewest, max=_LARGEST // multiple)
    generator = torch.Generator().manual_seed(0)
    shape = (_TRACED_BATCH, *size, 3)
    images = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    try:
        with torch.no_grad():
            return torch.export.export(module, (images,), dynamic_shapes={"images": symbols})
    except Exception as error:  # the tracer's own, and whatever a model's code raises under it
        hint = "no file for any size, leave --dynamic out" if dynamic else "cannot be exported"
        name = type(module.model).__name__
        raise UserError(
            f"{name} with {'any' if dynamic else 'this'} size: {hint} ({_reason(error)})"
        ) from error


def _write_onnx(program: Any, file: Path, card: ModelCard, outputs: Sequence[str]) -> None:
    onnx = torch.onnx.export(
        program, dynamo=True, verbose=False, external_data=False,
        input_names=["images"], output_names=list(outputs),
    )  # fmt: skip
    onnx.model.metadata_props[KEY] = card.to_json()
    onnx.save(file)


def _check(
    runtime: type[ExportedPredictor],
    file: Path,
    reference: TorchPredictor,
    *,
    sources: Sequence[Path | np.ndarray],
    tolerance: Tolerance,
) -> Parity:
    try:
        return compare(runtime(file, "cpu"), reference, sources, tolerance=tolerance)
    except UserError:
        raise
    except Exception as error:  # the runtime's, which have no common class
        raise UserError(f"the exported file cannot be run ({_reason(error)})") from error


def _require(file_format: Format) -> None:
    if file_format != "onnx":
        return
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            __import__(package)
        except ImportError:
            raise UserError(
                f"--format onnx needs the package {package}: pip install 'vitdet[export]'"
            ) from None


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
