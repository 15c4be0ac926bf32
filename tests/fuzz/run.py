"""Fuzz readers for long, and keep the result in `benchmarks/results/fuzz.json`.

python tests/fuzz/run.py coco --cases 10000
python tests/fuzz/run.py all --cases 10000
python tests/fuzz/run.py coco --case 4711    # one case, with its traceback
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.fuzz.readers import NAMES, reader  # noqa: E402  found by the line above
from tests.fuzz.sandbox import MAX_BYTES, MAX_SECONDS, run_cases  # noqa: E402
from vitdet.errors import UserError  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "fuzz.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="+", choices=(*NAMES, "all"), metavar="READER")
    parser.add_argument("--cases", type=int, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, metavar="K", help="only this one, in this process")
    arguments = parser.parse_args()
    if arguments.case is not None:
        _show(arguments.readers[0], arguments.case, arguments.seed)
        return
    names = NAMES if "all" in arguments.readers else arguments.readers
    has_failed = [_fuzz(name, arguments.cases, arguments.seed) for name in names]
    sys.exit(any(has_failed))


def _fuzz(name: str, num_cases: int, seed: int) -> bool:
    """Run and record the cases of a reader, print failures. Returns whether there were any."""
    began = time.monotonic()
    kinds: Counter[str] = Counter()
    fuzzed = reader(name)
    for outcome in run_cases(fuzzed, range(num_cases), seed=seed):
        kinds[outcome.kind] += 1
        if outcome.is_failure:
            sys.stdout.write(f"{name} {outcome.number}: {outcome.kind}: {outcome.detail}\n")
            sys.stdout.flush()
    seconds = time.monotonic() - began
    sys.stdout.write(f"{name}: {dict(kinds)} in {seconds:.0f} s\n")
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    results["limits"] = {"seconds": MAX_SECONDS, "MiB": MAX_BYTES >> 20}
    failures = sum(count for kind, count in kinds.items() if kind not in ("read", "refused"))
    results.setdefault("readers", {})[name] = {
        "cases": num_cases,
        "made by hand": len(fuzzed.hostile),
        "seed": seed,
        "read": kinds["read"],
        "refused": kinds["refused"],
        "failures": failures,
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return bool(failures)


def _show(name: str, number: int, seed: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz.{name}.{number}."))
    shown = reader(name)
    given = shown.make(number, folder, seed=seed)
    sys.stdout.write(f"{str(given)[:2000]}\n")
    try:
        shown.read(given)
    except UserError as error:
        sys.stdout.write(f"refused: {error}\n")


if __name__ == "__main__":
    main()
