"""Every kind of fault that is looked for: how bad it is, and what a mended copy does about it."""

from typing import NamedTuple

from vitdet.data_check.finding import Level, Severity


class Fault(NamedTuple):
    """`action` is worded so that it can follow "in a mended copy"."""

    severity: Severity
    level: Level
    action: str


_LEFT_OUT = "left out, with its annotations"
_DROPPED = "dropped"
_KEPT = "kept"
_FROM_MASK = "taken from the mask; without one, dropped"
_PART_DROPPED = "this polygon dropped"
_MASK_DROPPED = "the mask dropped, the box kept"

_IMAGES: dict[str, tuple[Severity, str]] = {
    "image entry without id or file name": ("error", _LEFT_OUT),
    "label file that cannot be used": ("error", "its image left out"),
    "file name that leaves the folder": ("error", _LEFT_OUT),
    "image file missing": ("error", _LEFT_OUT),
    "label file without image": ("error", "dropped"),
    "image file under another name": ("error", "the name of the file that is there taken"),
    "image file unreadable": ("error", _LEFT_OUT),
    "image file truncated": ("error", _LEFT_OUT),
    "image size missing": ("error", "read from the file; without one, left out"),
    "image size differs from the file": ("error", "the file's size taken, labels kept"),
    "image resized after it was labelled": ("error", "labels resized as the image was"),
    "image turned by EXIF": ("error", "labels turned as the image is when it is read"),
    "image mirrored or upside down by EXIF": ("warning", "kept: see whether labels fit"),
    "image id used twice": ("error", "one entry kept if all name one file; else left out"),
    "image id that is no integer": ("error", "numbered anew"),
    "image listed twice": ("warning", "its annotations gathered in one entry"),
    "same picture twice": ("warning", _KEPT),
    "same picture in two splits": ("warning", "left out of train, kept where it is tested on"),
    "image listed in two splits": ("warning", "left out of train, kept where it is tested on"),
    "image without labels": ("note", "kept, as an example of background"),
    "image file that nothing lists": ("note", "not copied"),
    "image of unusual size": ("note", _KEPT),
    "image of an unusual kind": ("note", "kept: it is read as 8-bit RGB"),
    "very many objects in an image": ("note", _KEPT),
    "split without images": ("error", "left out; not where it is the training split"),
    "split without annotations": ("error", "left out; not where it is the training split"),
    "no split to validate on": ("note", _KEPT),
}
_ANNOTATIONS: dict[str, tuple[Severity, str]] = {
    "annotation without image or category": ("error", _DROPPED),
    "annotation of an unknown image": ("error", _DROPPED),
    "annotation of an unknown category": ("error", _DROPPED),
    "id written in another type": ("error", "written as the list it points to has it"),
    "annotation id used twice": ("error", "numbered anew"),
    "annotation id that is no integer": ("error", "numbered anew"),
    "annotation id 0": ("note", "numbered anew"),
    "crowd flag other than 0 and 1": ("error", "0 or 1 written, by whether it is true"),
    "box missing": ("error", _FROM_MASK),
    "box that is not four numbers": ("error", _FROM_MASK),
    "box with NaN or infinity": ("error", _FROM_MASK),
    "box written as text": ("error", "numbers written"),
    "normalised box": ("error", "multiplied by the image's size"),
    "box of two corners": ("error", "second corner turned into width and height"),
    "box of centre and size": ("error", "centre turned into the corner"),
    "inverted box": ("error", "corners exchanged"),
    "empty box": ("warning", _FROM_MASK),
    "box smaller than a pixel": ("warning", _FROM_MASK),
    "box outside the image": ("error", _FROM_MASK),
    "box partly outside the image": ("warning", "clipped to the image"),
    "box a little outside the image": ("note", "clipped to the image"),
    "same box twice": ("warning", "the later one dropped"),
    "same box in two classes": ("warning", _KEPT),
    "tiny object": ("note", _KEPT),
    "box of the whole image": ("note", _KEPT),
    "very long box": ("note", _KEPT),
    "area missing": ("warning", "computed from the mask, else from the box"),
    "area not positive": ("error", "computed from the mask, else from the box"),
    "area disagrees with the mask": ("warning", "computed from the mask"),
    "area larger than the box": ("warning", "computed from the box"),
    "mask missing where others have one": ("error", "its box becomes its mask"),
    "mask in no known form": ("error", _MASK_DROPPED),
    "polygon in another layout": ("error", "written as COCO's lists of x, y, x, y, ..."),
    "polygon of no numbers": ("error", _PART_DROPPED),
    "polygon of an odd number of coordinates": ("error", _PART_DROPPED),
    "polygon of fewer than three points": ("error", _PART_DROPPED),
    "polygon with NaN or infinity": ("error", _PART_DROPPED),
    "polygon without area": ("error", _PART_DROPPED),
    "normalised polygon": ("error", "multiplied by the image's size"),
    "polygon outside the image": ("error", _MASK_DROPPED),
    "polygon partly outside the image": ("warning", "clipped to the image"),
    "run lengths that cannot be read": ("error", _MASK_DROPPED),
    "negative run length": ("error", _MASK_DROPPED),
    "run lengths of another image size": ("error", _MASK_DROPPED),
    "run lengths that do not fill the image": ("error", _MASK_DROPPED),
    "run lengths without a pixel": ("error", _MASK_DROPPED),
    "mask and box apart": ("error", "the box taken from the mask"),
    "mask and box differ": ("warning", "the box taken from the mask"),
}
_CATEGORIES: dict[str, tuple[Severity, str]] = {
    "category without id": ("error", _DROPPED),
    "category without name": ("error", "named by its id"),
    "category id that is no integer": ("error", "numbered anew"),
    "category id used twice": (
        "error",
        "merged if the names are equal; else dropped, as is what is annotated with it",
    ),
    "category name used twice": ("error", "merged"),
    "category names that differ in case or spaces": ("warning", "merged into the commonest"),
    "category names nearly alike": ("warning", "kept: rename one if they are the same class"),
    "category name with spaces around it": ("warning", "the spaces removed"),
    "category without instances": ("note", _KEPT),
    "category of few instances": ("note", _KEPT),
    "category that names no class": ("note", "kept: it is learnt like any class"),
    "category id 0": ("note", _KEPT),
    "gaps in the category ids": ("note", _KEPT),
    "category id of another class in train": ("error", "numbered as in train"),
    "category that train does not list": ("error", "added to train"),
    "category that only train lists": ("error", "added"),
    "category without instances in train": ("warning", "kept: it cannot be learned"),
}
FAULTS: dict[str, Fault] = {
    kind: Fault(severity, level, action)
    for level, kinds in (
        ("images", _IMAGES),
        ("annotations", _ANNOTATIONS),
        ("categories", _CATEGORIES),
    )
    for kind, (severity, action) in kinds.items()
}
