import pytest

from vitdet.errors import UserError
from vitdet.zoo.configs import find_zoo_config, zoo_names

NAME = "mmdet::retinanet/retinanet_r18_fpn_1x_coco"


def test_every_config_is_listed_once_and_found() -> None:
    mmdet, mmseg = zoo_names("mmdet"), zoo_names("mmseg")
    assert (len(mmdet), len(mmseg)) == (823, 681)
    assert len(set(mmdet + mmseg)) == 823 + 681
    assert NAME in mmdet and not any("_base_" in name for name in mmdet + mmseg)
    assert all(find_zoo_config(name).is_file() for name in mmdet[::50] + mmseg[::50])


def test_the_suffix_may_be_given() -> None:
    assert find_zoo_config(f"{NAME}.py") == find_zoo_config(NAME)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mmdet::retinanet/retinanet_r18_fpn_1x_cocoo", "retinanet/retinanet_r18_fpn_1x_coco"),
        ("mmdet::retinanet_r18_fpn_1x_coco", "did you mean mmdet::retinanet/retinanet_r18_fpn_1x"),
        ("mmseg::zzz", "list mmseg"),
        ("mmpose::x/y", "mmpose is none of mmdet, mmseg"),
    ],
)
def test_wrong_names_are_one_line(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        find_zoo_config(name)
    assert "\n" not in str(error.value)
