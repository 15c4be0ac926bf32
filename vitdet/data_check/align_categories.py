"""One list of categories, with the same ids, for all splits."""

from collections.abc import Mapping

from vitdet.data_check.check_categories import spelling_form
from vitdet.data_check.mended_split import MendedSplit


def align_categories(splits: Mapping[str, MendedSplit], *, first: str) -> None:
    """Number the categories of all splits as those of `first`, by name; what it lacks is added.

    A name that differs from one of `first` in case or spaces only is that one.
    """
    union = {entry.get("name"): entry for entry in splits[first].kept("categories")}
    spellings = {_form(name): name for name in union}
    free_id = max((one["id"] for one in union.values() if type(one.get("id")) is int), default=0)
    for split in splits.values():
        for entry in split.kept("categories"):
            name = entry.get("name")
            if name not in union and _form(name) not in spellings:
                free_id += 1
                union[name] = {**entry, "id": free_id}
                spellings[_form(name)] = name
    for split in splits.values():
        for row, entry in enumerate(split.columns.categories):
            name = split.categories[row].get("name")
            target = union.get(name) or union.get(spellings.get(_form(name)))
            if target is None or target["id"] == entry.get("id"):
                continue
            for ann in split.annotations_of("categories", row):
                split.change("annotations", ann, category_id=target["id"])
        split.replace_categories(list(union.values()))


def _form(name: object) -> str:
    return spelling_form(name).replace(" ", "")
