"""What a run has logged, read back."""

import json
from pathlib import Path

from vitdet.report.scalars import curve, read_scalars


def write(run: Path, name: str, entries: list[dict], *, end: str = "\n") -> None:
    folder = run / name / "vis_data"
    folder.mkdir(parents=True)
    (folder / "scalars.json").write_text("\n".join(map(json.dumps, entries)) + end)


def test_a_resumed_part_replaces_what_it_did_again(tmp_path: Path) -> None:
    write(
        tmp_path,
        "20260101_000000",
        [*({"loss": 9.0, "step": s} for s in (1, 2, 3)), {"mIoU": 1.0, "step": 2}],
        end='\n{"loss": 8.0, "st',
    )
    write(tmp_path, "20260102_000000", [{"loss": 5.0, "step": 3}, {"loss": 4.0, "step": 4}])
    training, evaluations = read_scalars(tmp_path)
    assert [(one["step"], one["loss"]) for one in training] == [(1, 9), (2, 9), (3, 5), (4, 4)]
    assert evaluations == [{"mIoU": 1.0, "step": 2}]
    assert read_scalars(tmp_path / "nowhere") == ([], [])


def test_curves_leave_out_what_is_no_value() -> None:
    entries = [
        {"step": 1, "AP": float("nan")},
        {"step": 2, "AP": -1.0},
        {"step": 3},
        {"step": 4, "AP": 0.5},
    ]
    assert curve(entries, "AP") == ([4], [0.5])


def test_long_curves_are_means_of_neighbours() -> None:
    entries = [{"step": s, "loss": float(s % 2)} for s in range(1000)]
    steps, values = curve(entries, "loss", max_points=100)
    assert len(steps) == 100
    assert steps[:2] == [4.5, 14.5]
    assert set(values) == {0.5}
