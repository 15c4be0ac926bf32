"""Two gloo processes on a CPU start through mmengine, reduce, and train in step."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.device import get_device

WORKER = """if True:
    import sys
    import torch
    import vitdet
    from mmengine.dist import all_reduce, collect_results, get_rank, init_dist
    from mmengine.model import MMDistributedDataParallel

    torch.set_num_threads(1)
    init_dist("pytorch", backend=sys.argv[1])
    rank = get_rank()
    total = torch.tensor([1.0, 10.0]) * (rank + 1)
    all_reduce(total)
    assert total.tolist() == [3.0, 30.0], total

    torch.manual_seed(rank)
    model = MMDistributedDataParallel(torch.nn.Linear(2, 1), device_ids=[rank])
    model(torch.full((1, 2), float(rank))).sum().backward()
    gradient = model.module.weight.grad
    assert gradient.tolist() == [[0.5, 0.5]], gradient  # the mean of 0 and 1

    results = collect_results([rank], 2, device="cpu")
    if rank == 0:
        assert results == [0, 1], results
        print("both agree")
    torch.distributed.destroy_process_group()
"""


@pytest.mark.skipif(get_device() != "cpu", reason="mmengine chose another device")
def test_two_processes(tmp_path):
    """One process asks for gloo and one, as most configs do, for nccl, which needs GPUs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    repository = str(Path(__file__).parents[2])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([repository, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "WORLD_SIZE": "2",
    }
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, backend],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, backend in enumerate(("gloo", "nccl"))
    ]
    outputs = [worker.communicate(timeout=300) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], outputs
    assert "both agree" in outputs[0][0]
