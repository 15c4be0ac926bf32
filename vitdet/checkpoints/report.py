"""What became of each entry when a checkpoint was loaded."""

from dataclasses import dataclass, field

from vitdet.errors import UserError


@dataclass
class LoadReport:
    """The outcome of a load, by name.

    Attributes:
        source: the file or URL, or "state dict".
        model: class of the model.
        layouts: our modules ("" for the model itself) -> the layout their part came in.
        loaded: model entries that now hold the checkpoint's values; includes `resized`.
        missing: model entries the checkpoint lacks.
        resized: entries interpolated to the model's size.
        fresh: entries left as they were, of classes or of a part that is added (`new_classes`).
        carried_classes: classes whose rows were found in the checkpoint by name.
        fresh_classes: classes the checkpoint does not know, whose rows stay as they were.
        mismatched: model entries of another shape -> (shape in the checkpoint, in the model).
        unexpected: checkpoint entries that no place was found for.
        ignored: checkpoint entries known not to belong here: classification heads, buffers that
            models compute by themselves, everything outside the prefix.
    """

    source: str
    model: str
    layouts: dict[str, str] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    carried_classes: list[str] = field(default_factory=list)
    fresh_classes: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        layouts = " and ".join(sorted(set(self.layouts.values())))
        layout = f" ({layouts} layout)" if layouts else ""
        parts = [f"{len(self.loaded)} entries loaded"]
        for outcome in ("missing", "resized", "fresh", "unexpected", "ignored"):
            names = getattr(self, outcome)
            if names:
                parts.append(f"{len(names)} {outcome} ({first_names(names)})")
        for outcome in ("carried", "fresh"):
            names = getattr(self, f"{outcome}_classes")
            if names:
                parts.append(f"class rows {outcome}: {', '.join(names)}")
        return f"{self.source}{layout} into {self.model}: {', '.join(parts)}."

    def refuse(self, *, missing: list[str], has_other_classes: bool) -> None:
        """Raise UserError if the model would not be the published one.

        Args:
            missing: those of the missing entries that count.
            has_other_classes: whether another number of classes explains all of `mismatched`.
        """
        problems = []
        if missing:
            problems.append(f"{len(missing)} missing ({first_names(missing)})")
        if self.unexpected:
            problems.append(f"{len(self.unexpected)} unexpected ({first_names(self.unexpected)})")
        if self.mismatched:
            shapes = [
                f"{key}: {list(theirs)} in the file, {list(ours)} in the model"
                for key, (theirs, ours) in self.mismatched.items()
            ]
            problems.append(f"{len(shapes)} of another shape ({first_names(shapes)})")
        if problems:
            raise UserError(
                f"{self.source} does not fit {self.model}: {', '.join(problems)}; "
                + self._remedy(has_other_classes and not missing and not self.unexpected)
            )

    def _remedy(self, has_other_classes: bool) -> str:
        if has_other_classes:
            return "pass new_classes=True to fine-tune it on other classes"
        if not self.loaded:
            return "it is a checkpoint of another model"
        return "build the model with the config and arch it was trained with"


def first_names(names: list[str], count: int = 3) -> str:
    """The first few of `names` for a message of one line."""
    shown = ", ".join(names[:count])
    return f"{shown}, ..." if len(names) > count else shown
