"""Load and hostile uploads at length, kept in `benchmarks/results/serving_*.json`.

python tests/serving/run.py load CKPT PHOTO ... --requests 1000 --clients 16
python tests/serving/run.py hostile --uploads 10000

`load` needs locust; both watch the memory of the service's process with psutil.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests import tiny_mask_rcnn  # noqa: E402  found by the line above
from tests.fuzz.image_samples import image_bytes  # noqa: E402
from tests.serving.hostile_uploads import (  # noqa: E402
    Upload,
    hostile_upload,
    mutated_upload,
    upload,
)
from tests.serving.running_service import running_service  # noqa: E402
from vitdet.serving.limits import Limits  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
_SENDERS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    load = kinds.add_parser("load")
    load.add_argument("checkpoint", type=Path)
    load.add_argument("photos", nargs="+", type=Path)
    load.add_argument("--requests", type=int, default=1000)
    load.add_argument("--clients", type=int, default=16)
    hostile = kinds.add_parser("hostile")
    hostile.add_argument("--uploads", type=int, default=10_000)
    arguments = parser.parse_args()
    if arguments.kind == "load":
        result = run_load(
            arguments.checkpoint, arguments.photos,
            num_requests=arguments.requests, num_clients=arguments.clients,
        )  # fmt: skip
    else:
        result = run_hostile(arguments.uploads)
    machine = dict(cores=os.cpu_count(), python=platform.python_version())
    text = json.dumps({"machine": machine, **result}, indent=1)
    (RESULTS / f"serving_{arguments.kind}.json").write_text(f"{text}\n")
    sys.stdout.write(f"{text}\n")


class Memory:
    """MiB of a process that are resident, looked at every fifth of a second."""

    def __init__(self, pid: int) -> None:
        self.mib: list[float] = []
        self._process, self._is_over = psutil.Process(pid), threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(0.2):
            self.mib.append(self._process.memory_info().rss / 2**20)

    def summary(self) -> dict[str, Any]:
        """The peak of each tenth of the time, and the last."""
        tenth = -(-len(self.mib) // 10)
        parts = [self.mib[at : at + tenth] for at in range(0, len(self.mib), tenth)]
        return {"peak_of_each_tenth": [round(max(one)) for one in parts],
                "last": round(self.mib[-1])}  # fmt: skip


def run_load(
    checkpoint: Path, photos: Sequence[Path], *, num_requests: int, num_clients: int
) -> dict[str, Any]:
    """Photos from clients at the same time, by locust."""
    environment = {
        **os.environ,
        "SERVING_PHOTOS": os.pathsep.join(map(str, photos)),
        "SERVING_REQUESTS": str(num_requests),
        "SERVING_CLIENTS": str(num_clients),
    }
    with running_service(checkpoint) as (process, address), Memory(process.pid) as memory:
        command = [
            "locust", "-f", str(ROOT / "tests/serving/locustfile.py"), "--headless", "--host",
            address, "--users", str(num_clients), "--spawn-rate", str(num_clients), "--json",
        ]  # fmt: skip
        began = time.monotonic()
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
        seconds = time.monotonic() - began
        metrics = httpx2.get(f"{address}/metrics").text
    (total,) = json.loads(done.stdout)
    times = np.repeat(
        [float(one) for one in total["response_times"]], list(total["response_times"].values())
    )
    answered = metrics.partition('vitdet_requests_total{status="200"} ')[2].split("\n")[0]
    return {
        "requests": total["num_requests"],
        "clients": num_clients,
        "failures": total["num_failures"],
        "answered_with_200": int(float(answered)),
        "seconds": round(seconds, 1),
        "milliseconds": {f"p{p}": float(np.percentile(times, p)) for p in (50, 90, 99, 100)},
        "memory_mib": memory.summary(),
    }


def run_hostile(num_uploads: int) -> dict[str, Any]:
    """Uploads that must be refused, and a fifth as many that may be good."""
    rng = random.Random(0)
    statuses: dict[str, Counter[int]] = {}
    slowest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = tiny_mask_rcnn.save_checkpoint(Path(folder, "last.pth"))
        with (
            running_service(checkpoint) as (process, address),
            httpx2.Client(base_url=address, timeout=60) as client,
            Memory(process.pid) as memory,
            ThreadPoolExecutor(_SENDERS) as senders,
        ):
            good = upload("good", image_bytes())
            assert _send(client, good)[0] == 200
            left, mutated = num_uploads, num_uploads // 5
            while left + mutated > 0:
                number, others = min(left, 100), min(mutated, 20)
                left, mutated = left - number, mutated - others
                sent = [hostile_upload(rng, max_bytes=Limits().max_bytes) for _ in range(number)]
                sent += [mutated_upload(rng) for _ in range(others)]
                for one, (status, seconds) in zip(
                    sent, senders.map(lambda one: _send(client, one), sent), strict=True
                ):
                    statuses.setdefault(one.kind, Counter())[status] += 1
                    slowest[one.kind] = max(slowest.get(one.kind, 0), seconds)
            assert _send(client, good)[0] == 200
    return {
        "uploads": num_uploads,
        "mutated": num_uploads // 5,
        "statuses": {kind: dict(sorted(counts.items())) for kind, counts in statuses.items()},
        "slowest_seconds": {kind: round(seconds, 2) for kind, seconds in slowest.items()},
        "memory_mib": memory.summary(),
    }


def _send(client: httpx2.Client, sent: Upload) -> tuple[int, float]:
    """The status, and the seconds until it came."""
    content = iter([sent.body]) if sent.is_chunked else sent.body
    began = time.monotonic()
    response = client.post("/predict", content=content, headers={"Content-Type": sent.content_type})
    return response.status_code, time.monotonic() - began


if __name__ == "__main__":
    main()
