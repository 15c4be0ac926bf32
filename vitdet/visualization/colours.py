"""One colour for each class: the same in every picture, and far from its neighbours."""

import colorsys

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

# The first classes get hues told apart at a glance, on photographs and by most colour-blind
# readers; later ones walk round the colour circle by the golden angle, in changing shades.
_FIRST = (
    *((255, 89, 94), (25, 130, 196), (255, 210, 63), (120, 190, 33), (165, 80, 255)),
    *((255, 127, 14), (0, 215, 185), (255, 105, 200), (150, 100, 60), (130, 150, 255)),
)
_GOLDEN_ANGLE = 0.618034
_FIRST_HUE = 0.5875  # keeps the next dozen farthest from the colours above
_SHADES = ((0.75, 1.0), (0.9, 0.75), (0.5, 0.95))  # saturation, value


def class_colour(label: int) -> Colour:
    """Colour of the class with this label."""
    if label < len(_FIRST):
        return _FIRST[label]
    saturation, value = _SHADES[label % len(_SHADES)]
    red, green, blue = colorsys.hsv_to_rgb(
        (_FIRST_HUE + label * _GOLDEN_ANGLE) % 1, saturation, value
    )
    return round(255 * red), round(255 * green), round(255 * blue)


def text_colour(background: Colour) -> Colour:
    """White where it reads well on `background`, else black.

    White needs a contrast of 3, the least that WCAG 2 allows; where it has less, black has over 7.
    """
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in background)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return (255, 255, 255) if 1.05 / (luminance + 0.05) >= 3 else (0, 0, 0)
