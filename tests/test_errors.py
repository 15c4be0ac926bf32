import pickle

import pytest

from vitdet.errors import UserError, one_line


def test_a_message_is_one_line_that_a_terminal_can_take() -> None:
    message = str(UserError("a\nb\r\n  c \x1b[31m and \ud800"))
    assert message == "a b c ?[31m and ?"


def test_a_plain_message_stays_as_it_is() -> None:
    text = "images/caf\xe9  1.jpg: two  spaces"
    assert str(UserError(text)) == text
    assert str(pickle.loads(pickle.dumps(UserError(text)))) == text


@pytest.mark.parametrize("length", [99, 100, 101, 10_000])
def test_a_long_text_loses_its_middle(length: int) -> None:
    text = "a" * (length - 5) + "remedy"[:5]
    short = one_line(text, limit=100)
    assert len(short) <= 100 and short.endswith("remed") and (short == text) == (length <= 100)
