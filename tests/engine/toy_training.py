"""The least that a Runner trains: numbers in text files under one norm and one linear layer."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from vitdet.engine.runner import Runner

HERE = __name__


class Numbers(BaseDataset):
    """One item for each text file in `data_root`."""

    METAINFO: dict = {"classes": ("number",)}

    def load_data_list(self) -> list[dict[str, Any]]:
        files = sorted(Path(self.data_root).glob("*.txt"))
        return [{"img_path": str(path), "img_id": i} for i, path in enumerate(files)]


class LoadNumbers:
    """Reads the four numbers of a file."""

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        values = [float(word) for word in Path(results["img_path"]).read_text().split()]
        sample = BaseDataElement(metainfo=results)
        return {"inputs": torch.tensor(values), "data_samples": sample}


class ToyModel(BaseModel):
    """Two terms of loss, the second with dropout, which draws at random."""

    def __init__(self, *, with_norm: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.BatchNorm1d(4) if with_norm else nn.LayerNorm(4)
        self.linear = nn.Linear(4, 2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, inputs: list[Tensor], data_samples: list, mode: str) -> Any:
        x = torch.stack(inputs)
        if mode != "loss":
            return data_samples
        first, second = self.linear(self.norm(x)).unbind(1)
        # Not a number where an input is not: the other term stays finite.
        return {
            "loss_first": ((first - 1) ** 2).nan_to_num().mean(),
            "loss_second": (self.dropout(second - x[:, 0]) ** 2).mean() * 0.1,
        }


class NumBatches(BaseMetric):
    """A score that any evaluation has."""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(1)

    def compute_metrics(self, results: list) -> dict[str, float]:
        return {"mAP": float(len(results)), "AR@1": 0.5}


def write_numbers(folder: Path, values: list[str]) -> Path:
    """One file for each of `values`."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, value in enumerate(values):
        (folder / f"{i:02d}.txt").write_text(value)
    return folder


def good_numbers(count: int) -> list[str]:
    generator = torch.Generator().manual_seed(1)
    rows = torch.rand(count, 4, generator=generator).tolist()
    return [" ".join(map(str, row)) for row in rows]


def toy_config(data: Path, work_dir: Path, **changes: Any) -> Config:
    """A run in the files' order, two a step; `changes` are dotted keys."""
    dataset = dict(type=f"{HERE}.Numbers", data_root=str(data))
    dataset["pipeline"] = [dict(type=f"{HERE}.LoadNumbers")]
    loader = dict(batch_size=2, num_workers=0, dataset=dataset)
    loader["sampler"] = dict(type="mmengine.dataset.DefaultSampler", shuffle=False)
    config = Config(
        dict(
            default_scope="mmengine",
            model=dict(type=f"{HERE}.ToyModel"),
            train_dataloader=loader,
            train_cfg=dict(type="mmengine.runner.EpochBasedTrainLoop", max_epochs=1),
            optim_wrapper=dict(
                type="mmengine.optim.OptimWrapper", optimizer=dict(type="torch.optim.SGD", lr=0.1)
            ),
            work_dir=str(work_dir),
            randomness=dict(seed=0),
        )
    )
    config.merge_from_dict({key.replace("__", "."): value for key, value in changes.items()})
    return config


def with_evaluation(config: Config) -> Config:
    """The config with an evaluation on its training data after each epoch."""
    loader = config.train_dataloader.to_dict()
    evaluator = dict(type=f"{HERE}.NumBatches")
    config.merge_from_dict(dict(val_dataloader=loader, val_cfg={}, val_evaluator=evaluator))
    return config


def toy_runner(data: Path, work_dir: Path, **changes: Any) -> Runner:
    return Runner.from_cfg(toy_config(data, work_dir, **changes))


def log_of(runner: Runner) -> str:
    return next(Path(runner.work_dir).glob("*/*.log")).read_text()
