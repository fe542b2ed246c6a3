"""Untrusted text made plain: no hidden characters, nothing that looks like a tag, no great length.

Messages of models, queries and the pages of a corpus all pass through here before they stand in an
argument or in a prompt.
"""

import re
import unicodedata

#: How each line of a quotation begins. What a prompt says of its own accord never begins so.
QUOTED = "| "
#: White space that separates words of an action, as a set of characters.
WORD_BREAKS = " \t\r\n"
#: The longest message, in characters, that is looked at in full.
LONGEST = 16_384

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_TAG_LIKE = re.compile(r"<(?=\S)")
_PIECE = re.compile(r"\w+|[^\w\s]")


class _Visible(dict[int, int | None]):
    """For `str.translate`: drops hidden characters, keeps white space."""

    def __missing__(self, point: int) -> int | None:
        character = chr(point)
        keep = character.isspace() or unicodedata.category(character) not in _HIDDEN
        return point if keep else None


_VISIBLE = _Visible()
_VISIBLE.update({point: _VISIBLE[point] for point in range(128)})


def clean(text: str, limit: int, lines: bool = False) -> str:
    """Text in plain characters.

    Control, format (zero-width, writing direction), private and unassigned characters and lone
    surrogates are dropped, the rest is brought to Unicode's form NFKC, in which look-alikes such as
    `＜` become what they look like. White space shrinks to single spaces. A `<` is kept apart from
    what follows it, so that nothing is a tag, and the text is cut to `limit` characters. To clean
    again changes nothing.

    Args:
        text: any text; of more than `LONGEST` and `8 * limit` characters only the first count.
        limit: the most characters of the result.
        lines: whether line breaks are kept, except around empty lines.
    """
    text = text[: max(LONGEST, 8 * limit)].translate(_VISIBLE)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    rows = (" ".join(row.split()) for row in (text.split("\n") if lines else (text,)))
    return _TAG_LIKE.sub("< ", "\n".join(row for row in rows if row))[:limit].rstrip()


def quote(text: str, limit: int) -> str:
    """Text as a quotation, cleaned; each of its lines begins with `QUOTED`.

    Within a prompt no quoted line can be taken for an action, a heading or an instruction. A text
    of more than `limit` characters ends in ` …`.
    """
    plain = clean(text, limit + 1, lines=True)
    if len(plain) > limit:
        plain = plain[:limit].rstrip() + " …"
    return "\n".join(QUOTED + row for row in plain.split("\n")) if plain else f"{QUOTED}(nothing)"


def count_pieces(text: str) -> int:
    """How many words, numbers and punctuation marks a text has: about its number of tokens."""
    return len(_PIECE.findall(text))
