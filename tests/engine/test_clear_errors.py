import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from vitdet.engine.clear_errors import clear_errors
from vitdet.errors import UserError

CONFIG = Config(
    dict(
        train_dataloader=dict(batch_size=8, num_workers=4),
        test_dataloader=dict(batch_size=1),
        optim_wrapper=dict(type="mmengine.optim.OptimWrapper"),
        model=dict(backbone=dict(type="vitdet.backbones.SwinTransformer")),
    )
)


def _allocate() -> None:
    torch.empty(1 << 50)


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    "fail",
    [
        _allocate,  # what torch's allocator of CPUs says
        lambda: _raise(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")),
        lambda: _raise(MemoryError()),
        lambda: _raise(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x")),
    ],
)
def test_out_of_memory_says_what_to_change(fail) -> None:
    with pytest.raises(UserError) as caught, clear_errors(CONFIG, "train"):
        fail()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("memory ran out in the training, with 8 images a step (")
    for remedy in (
        "train_dataloader.batch_size=4 and --accumulate 2",
        "--amp",
        "--auto-batch",
        "model.backbone.with_checkpoint=True",
        "smaller images",
    ):
        assert remedy in message


def test_what_is_done_already_is_not_proposed() -> None:
    config = CONFIG.copy()
    config.train_dataloader.batch_size = 1
    config.optim_wrapper.type = "mmengine.optim.AmpOptimWrapper"
    config.model.backbone.with_checkpoint = True
    with pytest.raises(UserError) as caught, clear_errors(config, "train"):
        raise MemoryError
    assert str(caught.value).endswith(
        "take --auto-batch, which finds out how many images fit, or smaller images (the scale in "
        "the pipeline)"
    )
    with pytest.raises(UserError) as caught, clear_errors(config, "test"):
        raise MemoryError
    assert str(caught.value).endswith(": take smaller images (the scale in the pipeline)")


class _Broken(Dataset):
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 1

    def __getitem__(self, i: int) -> None:
        raise self.error


def test_an_error_of_a_worker_is_its_own_line() -> None:
    loader = DataLoader(_Broken(UserError("a.png is damaged: write it anew")), num_workers=1)
    with pytest.raises(UserError) as caught, clear_errors(CONFIG, "train"):
        list(loader)
    assert str(caught.value) == "a.png is damaged: write it anew"


def test_errors_of_ours_keep_their_type_and_text() -> None:
    with pytest.raises(RuntimeError, match=r"shape \[2\] is invalid"), clear_errors(CONFIG, "test"):
        raise RuntimeError("shape [2] is invalid")
    with pytest.raises(UserError, match=r"^plain$"), clear_errors(CONFIG, "train"):
        raise UserError("plain")


def test_a_worker_that_the_system_ended() -> None:
    text = "DataLoader worker (pid 7) is killed by signal: Killed. "
    with pytest.raises(UserError, match="take fewer") as caught, clear_errors(CONFIG, "train"):
        raise RuntimeError(text)
    assert "train_dataloader.num_workers=4" in str(caught.value)


def test_images_that_are_too_small_for_the_proposals() -> None:
    config = CONFIG.copy()
    config.model.num_queries = 900
    message = r"model\.num_queries=900\): take larger images"
    with pytest.raises(UserError, match=message), clear_errors(config, "train"):
        torch.rand(20).topk(900)


def test_a_compiler_that_is_missing() -> None:
    error = RuntimeError("No working C++ compiler found in torch._inductor.config.cpp.cxx: g++")
    with pytest.raises(UserError, match="--compile needs a C"), clear_errors(CONFIG, "train"):
        raise error
