"""Run benchmarks and print their tables: python benchmarks/run.py [NAME ...] [--device cuda].

A ratio is the best peer's figure over ours: above 1 is faster, or smaller, than all of them.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import harness
import torch

FOLDER = Path(__file__).parent


def main() -> None:
    files = sorted(FOLDER.glob("*.py"))
    names = [path.stem for path in files if "\nBENCHMARK = " in path.read_text()]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--threads", default=1, type=int, help="CPU threads of each peer")
    parser.add_argument("--rounds", default=5, type=int, help="turns of each peer")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with TEXT in their names")
    parser.add_argument("--quick", action="store_true", help="small cases, two rounds, not kept")
    parser.add_argument("--no-memory", action="store_true", help="times only")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(names)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there is {', '.join(names)}")

    for name in arguments.names or names:
        result = harness.run(
            name,
            arguments.device,
            rounds=2 if arguments.quick else arguments.rounds,
            threads=arguments.threads,
            is_quick=arguments.quick,
            only=arguments.only,
            has_memory=not arguments.no_memory,
        )
        print(table(result))
        if not arguments.quick:
            path = FOLDER / "results" / f"{name}_{arguments.device.type}.json"
            keep(result, path)


def keep(result: dict[str, Any], path: Path) -> None:
    """Write the result, beside what was measured of other cases in the same way on this machine."""
    if path.is_file():
        old = json.loads(path.read_text())
        if all(old[key] == result[key] for key in ("machine", "threads", "rounds")):
            result = {**result, "cases": old["cases"] | result["cases"]}
    path.write_text(json.dumps(result, indent=1) + "\n")


def table(result: dict[str, Any]) -> str:
    """Milliseconds and MiB of every peer in every case, and ours against the best of them."""
    machine = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    lines = [
        "",
        result["title"],
        f"{machine}; {result['threads']} threads; minimum of {result['rounds']} rounds",
    ]
    peers = list(next(iter(result["cases"].values())))
    header = [*(f"{peer} ms" for peer in peers), "ratio"]
    header += [*(f"{peer} MiB" for peer in peers), "ratio"]
    width = max(len(case) for case in result["cases"])
    lines.append(" " * width + "".join(f"{cell:>13}" for cell in header))
    for case, figures in result["cases"].items():
        times = [figures[peer]["minimum"] * 1000 for peer in peers]
        peaks = [figures[peer]["peak_mib"] for peer in peers if "peak_mib" in figures[peer]]
        cells = [*(f"{t:.1f}" for t in times), ratio(times)]
        cells += [*(f"{p:.0f}" for p in peaks), ratio(peaks)] if peaks else []
        lines.append(f"{case:<{width}}" + "".join(f"{cell:>13}" for cell in cells))
    return "\n".join(lines)


def ratio(figures: list[float]) -> str:
    """The best peer over ours, which stands first; what needs no memory has no ratio of it."""
    ours, *peers = figures
    return f"{min(peers) / ours:.2f}" if peers and ours else "-"


if __name__ == "__main__":
    main()
