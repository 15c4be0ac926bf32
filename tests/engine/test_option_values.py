import pytest

from vitdet.engine.option_values import parse_options
from vitdet.errors import UserError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-1.5e-3", -0.0015),
        ("True", True),
        ("false", False),
        ("None", None),
        ("small", "small"),
        ("1,2", [1, 2]),
        ("[a, b]", ["a", "b"]),
        ("(1,2)", (1, 2)),
        ("[(1,2),[a,b],c]", [(1, 2), ["a", "b"], "c"]),
        ("(1,2),(3,4)", [(1, 2), (3, 4)]),
        ("[]", []),
        ("(8,)", (8,)),
        ("[[0.5]]", [[0.5]]),
        ("'quoted'", "quoted"),
        ("/my photos/a.pth", "/my photos/a.pth"),
        ("a=b", "a=b"),
        ("", ""),
        ("f(1,2)", "f(1,2)"),  # mmengine's own parser never ends with this
    ],
)
def test_values(text: str, value: object) -> None:
    assert parse_options([f"model.key={text}"]) == {"model.key": value}


def test_the_last_of_a_key_counts() -> None:
    assert parse_options(["a=1", "b=2", "a=3"]) == {"a": 3, "b": 2}


@pytest.mark.parametrize("text", ["key", "=3", ""])
def test_a_text_without_key_and_value_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="KEY=VALUE"):
        parse_options([text])


@pytest.mark.parametrize("value", ["[(1,2]", "a,b)", "(1,2", "[1,2)]", "],["])
def test_brackets_that_do_not_match_are_refused(value: str) -> None:
    with pytest.raises(UserError, match=r"--cfg-options key=.*brackets do not match"):
        parse_options([f"key={value}"])


def test_endless_brackets_are_refused() -> None:
    with pytest.raises(UserError, match="more than 20 brackets"):
        parse_options(["key=" + "[" * 50_000 + "]" * 50_000])
