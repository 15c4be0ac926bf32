"""How long it takes to begin: imports, the command line, a model from its config (B11).

    python benchmarks/startup.py [--rounds 5]

Every task runs in a fresh process, those of us and of mmdet in turns; seconds of processor time.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import harness
import torch

RESULTS = Path(__file__).parent / "results" / "startup_cpu.json"
_OURS = """
import torch, vitdet
from mmengine.registry import MODELS, DefaultScope
from vitdet.engine.config import load_model_config
config = load_model_config("swin_maskrcnn_coco")
with DefaultScope.overwrite_default_scope("mmdet"):
    MODELS.build(config["model"])
"""
_MMDETS = """
import torch, vitdet, mmdet, mmdet.models
from pathlib import Path
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
folder = Path(mmdet.__file__).parent / ".mim/configs/swin"
config = Config.fromfile(folder / "mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py")
register_all_modules()
MODELS.build(config.model)
"""
TASKS = {
    "import vitdet": ["-c", "import vitdet"],
    "vitdet --help": ["-c", "from vitdet.cli import main; main(['--help'])"],
    "vitdet train --help": ["-c", "from vitdet.cli import main; main(['train', '--help'])"],
    "import torch": ["-c", "import torch"],
    "config and model": ["-c", _OURS],
    "config and model, mmdet": ["-c", _MMDETS],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", default=5, type=int)
    arguments = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in TASKS}
    for _ in range(arguments.rounds):
        for name, task in TASKS.items():
            seconds[name].append(processor_seconds(task))
    result = {
        "machine": harness.machine(torch.device("cpu")),
        "rounds": arguments.rounds,
        "processor_seconds": {name: round(min(times), 3) for name, times in seconds.items()},
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def processor_seconds(task: list[str]) -> float:
    """Of a fresh Python, beyond that of one that does nothing."""
    return _seconds(task) - _seconds(["-c", ""])


def _seconds(task: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, *task], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
