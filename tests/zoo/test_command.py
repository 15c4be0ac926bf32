import json

import pytest

from vitdet.cli import main
from vitdet.zoo import command
from vitdet.zoo.configs import zoo_names
from vitdet.zoo.outcome import EXCUSED, NO, YES, Outcome
from vitdet.zoo.report import summary, write_outcomes, zoo_table


def test_list(capsys) -> None:
    main(["zoo", "list", "mmdet", "--filter", "pvt/retinanet_pvt-t_"])
    assert capsys.readouterr().out == "mmdet::pvt/retinanet_pvt-t_fpn_1x_coco\n"


def test_nothing_to_list(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["zoo", "list", "--filter", "no such config"])
    assert "no config of mmdet or mmseg has 'no such config'" in capsys.readouterr().err


@pytest.fixture
def checked(monkeypatch) -> list[list[str]]:
    """Names of each call of `check_all`, which here finds that RetinaNets only build."""
    calls = []

    def check_all(names, *, with_step, jobs, limits):
        calls.append(list(names))
        for name in names:
            stepped = NO if "retina" in name else YES
            yield name, Outcome(YES, stepped, "as | planted") if with_step else Outcome(YES)

    monkeypatch.setattr(command, "check_all", check_all)
    return calls


def test_a_check_goes_on_where_it_ended(tmp_path, checked, capsys) -> None:
    name = "mmdet::pvt/retinanet_pvt-t_fpn_1x_coco"
    check = ["zoo", "check", "--out", str(tmp_path), "--filter"]
    main([*check, name])
    main([*check, "pvt/retinanet_pvt-"])
    assert name not in checked[1] and len(checked[1]) == 3
    main([*check, name, "--step"])
    assert "as | planted" in capsys.readouterr().out
    main([*check, name, "--step"])
    main([*check, name, "--again"])
    assert checked[2:] == [[name], [], [name]]
    kept = json.loads((tmp_path / "zoo.json").read_text())
    assert len(kept) == 4 and kept[name]["stepped"] == "-"
    assert f"| {name} |  | yes | - |  |" in (tmp_path / "zoo.md").read_text()


def test_what_was_told_before_an_interrupt_is_kept(tmp_path, monkeypatch) -> None:
    def check_all(names, **_):
        yield names[0], Outcome(YES)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "check_all", check_all)
    with pytest.raises(KeyboardInterrupt):
        command.check_configs("mmdet", "pvt/", folder=tmp_path)
    assert len(json.loads((tmp_path / "zoo.json").read_text())) == 1
    assert (tmp_path / "zoo.md").is_file()


def test_a_sample_is_the_same_each_time(tmp_path, checked) -> None:
    for folder in ("one", "two"):
        command.check_configs(sample=5, folder=tmp_path / folder)
    assert checked[0] == checked[1] and len(set(checked[0])) == 5


def test_shares_count_what_is_not_excused() -> None:
    first, second, third, *_ = zoo_names("mmseg")
    outcomes = {
        first: Outcome(YES, NO, "a|b"),
        second: Outcome(NO, reason="x"),
        third: Outcome(EXCUSED),
    }
    assert "| mmseg | 681 | 3 | 1 | 1 | 50.0 % | 0 | 0.0 % |" in summary(outcomes)
    table = zoo_table(outcomes)
    assert table.count(f"| {first} |  | yes | no | a\\|b |") == 2  # among the failures, too
    assert table.count(third) == 1


def test_each_folder_s_smallest_comes_first(tmp_path, checked) -> None:
    folders = ("mmseg::ann/", "mmseg::apcnet/")
    names = [name for name in zoo_names("mmseg") if name.startswith(folders)]
    sizes = {name: Outcome(YES, parameters=1000 - number) for number, name in enumerate(names)}
    write_outcomes(tmp_path / "zoo.json", sizes)
    command.check_configs("mmseg", "::a", with_step=True, again=True, folder=tmp_path)
    order = [name for name in checked[0] if name in names]
    first, second = ([name for name in names if name.startswith(folder)] for folder in folders)
    assert order[:4] == [first[-1], second[-1], first[-2], second[-2]]
    assert sorted(order) == names


def test_a_step_of_the_same_model_is_not_taken_twice(tmp_path, checked) -> None:
    first, same, other = (
        f"mmseg::ann/ann_r50-d8_4xb2-{rest}"
        for rest in ("40k_cityscapes-512x1024", "80k_cityscapes-512x1024", "40k_cityscapes-769x769")
    )
    write_outcomes(tmp_path / "zoo.json", dict.fromkeys((first, same, other), Outcome(YES)))
    command.check_configs("mmseg", "ann_r50-d8_4xb2", with_step=True, folder=tmp_path)
    assert first in checked[0] and other in checked[0] and same not in checked[0]
    kept = json.loads((tmp_path / "zoo.json").read_text())
    assert kept[same]["stepped"] == "yes" and kept[same]["reason"] == "as | planted"


def test_a_twin_says_whose_step_it_took(tmp_path) -> None:
    first, same = (f"mmseg::ann/ann_r50-d8_4xb2-{k}k_cityscapes-512x1024" for k in (40, 80))
    write_outcomes(tmp_path / "zoo.json", {first: Outcome(YES, YES), same: Outcome(YES)})
    command.check_configs(
        "mmseg", "ann_r50-d8_4xb2-80k_cityscapes-5", with_step=True, folder=tmp_path
    )
    assert f"| {same} |  | yes | yes | as {first} |" in (tmp_path / "zoo.md").read_text()
