import numpy as np
import pytest

from vitdet.visualization.colours import class_colour
from vitdet.visualization.draw import draw_instances

GREY = 128


@pytest.fixture
def image():
    return np.full((200, 300, 3), GREY, np.uint8)


def draw(image, boxes, labels=None, class_names=("wolf", "sheep"), **options):
    labels = np.zeros(len(boxes), int) if labels is None else np.array(labels)
    boxes = np.array(boxes, dtype=float)
    return np.asarray(
        draw_instances(image, boxes, labels=labels, class_names=class_names, **options)
    )


def is_colour(picture, label):
    return (picture == class_colour(label)).all(axis=2)


def test_nothing_found_leaves_the_image_as_it_is(image):
    picture = draw(image, np.zeros((0, 4)), masks=np.zeros((0, 200, 300), bool), scores=[])
    np.testing.assert_array_equal(picture, image)


def test_image_given_is_not_touched_and_may_be_read_only(image):
    image.flags.writeable = False
    picture = draw(image, [[10, 50, 60, 90]], masks=np.ones((1, 200, 300), bool))
    assert (image == GREY).all()
    assert (picture != GREY).any()


def test_box_is_where_it_is_and_of_its_class_colour(image):
    picture = draw(image, [[100, 60, 180, 160]], [1])
    edges = is_colour(picture, 1)
    assert edges[60:161, 100].all()
    assert edges[60:161, 180].all()
    assert edges[160, 100:181].all()
    assert (picture[70:150, 110:170] == GREY).all()
    assert (picture[170:] == GREY).all()


@pytest.mark.parametrize(
    "corner", [(0, 0), (280, 0), (0, 185), (280, 185), (150, 3), (-30, -30), (296, 196)]
)
def test_labels_never_run_off_the_picture(image, corner):
    name = "a very long name of a class"
    roomy = draw(image, [[100, 100, 115, 112]], class_names=[name])
    x, y = corner
    tight = draw(image, [[x, y, x + 15, y + 12]], class_names=[name])
    box_pixels = 2 * (16 + 13)
    assert abs(is_colour(tight, 0).sum() - is_colour(roomy, 0).sum()) <= box_pixels


def test_labels_of_the_same_place_do_not_hide_each_other(image):
    alone = draw(image, [[100, 60, 180, 160]], [1])
    both = draw(image, [[100, 60, 180, 160], [100, 60, 180, 160]], [0, 1])
    assert is_colour(both, 1).sum() >= 0.95 * is_colour(alone, 1).sum()


def test_names_wider_than_the_picture(image):
    assert draw(image[:20, :30], [[2, 2, 20, 15]], class_names=["wide" * 20]).shape == (20, 30, 3)


def test_scores_are_written(image):
    without = draw(image, [[100, 60, 180, 160]])
    with_score = draw(image, [[100, 60, 180, 160]], scores=np.array([0.876]))
    assert is_colour(with_score, 0).sum() > is_colour(without, 0).sum()


def test_mask_tints_its_inside_only(image):
    mask = np.zeros((1, 200, 300), bool)
    mask[0, 80:120, 100:160] = True
    picture = draw(image, [[100, 80, 160, 120]], masks=mask, mask_opacity=0.5)
    expected = (GREY + np.array(class_colour(0))) / 2
    np.testing.assert_allclose(
        picture[85:115, 105:155], np.broadcast_to(expected, (30, 50, 3)), atol=1
    )
    assert (picture[125:] == GREY).all()
    assert (picture[80:120, 165:] == GREY).all()


def test_small_objects_lie_on_large_ones(image):
    masks = np.zeros((2, 200, 300), bool)
    masks[0, 90:110, 140:160] = True
    masks[1, 50:150, 100:200] = True
    boxes = [[140, 90, 160, 110], [100, 50, 200, 150]]
    opaque = draw(image, boxes, [0, 1], masks=masks, mask_opacity=1)
    assert is_colour(opaque, 0)[95:105, 145:155].all()
    assert is_colour(opaque, 1)[140:145, 190:195].all()


def test_scale_enlarges_image_boxes_and_masks(image):
    mask = np.zeros((1, 200, 300), bool)
    mask[0, 80:120, 100:160] = True
    picture = draw(image, [[100, 80, 160, 120]], masks=mask, scale=2, mask_opacity=1)
    assert picture.shape == (400, 600, 3)
    tinted = is_colour(picture, 0)
    assert tinted[164:236, 204:316].all()
    assert not tinted[250:].any()


@pytest.mark.parametrize("box", [[400, 10, 500, 60], [-90, -90, -10, -10], [50, 50, 50, 50]])
def test_odd_boxes_do_no_harm(image, box):
    assert draw(image, [box], masks=np.zeros((1, 200, 300), bool)).shape == image.shape
