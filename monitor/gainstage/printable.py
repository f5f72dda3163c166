"""Names come from models and from other machines: on a terminal they may do nothing but be read."""

import unicodedata

# Controls move the cursor and change colours and titles; formats turn the order of letters round or
# hide some; surrogates cannot be written at all; a line that is broken passes for two.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def printable(text: str, *, lines: bool = False) -> str:
    r"""The same text, with an escape such as `\x1b` for each character that would not be seen.

    With `lines`, those of the text stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if unicodedata.category(character) not in _UNSEEN or (lines and character == "\n")
        else character.encode("unicode_escape").decode()
        for character in text
    )
