import numpy as np

from vitdet.inference import Prediction
from vitdet.visualization import draw_panoptic
from vitdet.visualization.colours import class_colour

GREY = 128
NAMES = ("wolf", "sea")


def draw(panoptic: np.ndarray, **options: float) -> np.ndarray:
    image = np.full((*panoptic.shape, 3), GREY, np.uint8)
    image.flags.writeable = False
    return np.asarray(draw_panoptic(image, panoptic, class_names=NAMES, **options))


def test_segments_are_tinted_and_the_rest_is_left_alone() -> None:
    panoptic = np.full((200, 300), 2)
    panoptic[:, 150:] = 1
    picture = draw(panoptic)
    assert (picture[:, :148] == GREY).all()
    expected = (GREY + np.array(class_colour(1))) / 2
    assert np.abs(picture[10:60, 160:290].astype(float) - expected).max() <= 1


def test_instances_have_shades_of_their_class() -> None:
    panoptic = np.full((200, 300), 1000)
    panoptic[:, 150:] = 2000
    picture = draw(panoptic, opacity=1.0)
    first, second = picture[5, 5], picture[5, 290]
    assert tuple(first) == class_colour(0)
    assert (second >= first).all() and not np.array_equal(first, second)


def test_each_segment_is_named_once_inside_it() -> None:
    """The label's chip is the only place that has the colour pure."""
    panoptic = np.full((200, 300), 2)
    panoptic[20:180, 20:140] = 1
    panoptic[20:180, 160:280] = 1  # the same segment, in two parts
    pure = (draw(panoptic)[25:175] == class_colour(1)).all(axis=2)
    pure[:, 15:23] = pure[:, 137:143] = pure[:, 157:163] = pure[:, 277:283] = False  # outlines
    assert pure[:, :150].any() != pure[:, 150:].any()


def test_maps_of_nothing_and_of_one_pixel() -> None:
    panoptic = np.full((20, 30), 2)
    assert (draw(panoptic) == GREY).all()
    panoptic[3, 4] = 1000
    assert draw(panoptic, scale=3).shape == (60, 90, 3)


def test_predictions_with_a_map_are_drawn_by_it() -> None:
    image = np.full((100, 150, 3), GREY, np.uint8)
    prediction = Prediction(
        boxes=np.array([[0, 0, 149.0, 99]]),
        scores=np.array([0.9]),
        labels=np.array([0]),
        class_names=NAMES,
        image_size=(100, 150),
        panoptic=np.ones((100, 150), int),
        source=image,
    )
    expected = draw_panoptic(image, prediction.panoptic, class_names=NAMES)
    assert np.array_equal(prediction.draw(), expected)
