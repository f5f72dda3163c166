"""What others name can be read on a terminal, and does nothing else there."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from gainstage.printable import printable


def test_what_can_be_seen_is_printed_as_it_is() -> None:
    assert printable("sequential/dense_1 größe 層 \N{NO-BREAK SPACE}é") == (
        "sequential/dense_1 größe 層 \N{NO-BREAK SPACE}é"
    )


def test_what_cannot_be_seen_is_named() -> None:
    text = "a\x1b[31mb\u202ec\rd\ne\x00\ud800\u2028\u200b"

    assert printable(text) == r"a\x1b[31mb\u202ec\rd\ne\x00\ud800\u2028\u200b"
    assert printable("a\n\tb", lines=True) == "a\n\\tb"


@given(st.text(st.characters(codec=None)))
def test_no_text_makes_a_terminal_do_anything(text: str) -> None:
    printed = printable(text)

    assert not {unicodedata.category(one) for one in printed} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    printed.encode()
