"""Labels broken into lines, counting Chinese characters as wide as two Latin letters."""

import unicodedata

_ELLIPSIS = "…"
_COMPARISONS = ("≤", ">")


def broken(text: str, width: int, *, lines: int = 3) -> list[str]:
    """``text`` in at most ``lines`` lines of ``width`` half-width characters; what is left over becomes an ellipsis.

    Lines break after blanks and between wide characters; a longer piece is shortened.
    """
    result = [""]
    for piece in _pieces(" ".join(text.split())):
        if result[-1] and display_width(result[-1] + piece.rstrip()) > width:
            result.append("")
        result[-1] += piece
    kept = [line.strip() for line in result]
    if len(kept) > lines:
        kept = [*kept[: lines - 1], kept[lines - 1] + _ELLIPSIS]
    return [_shortened(line, width) for line in kept]


def display_width(text: str) -> int:
    """Width of ``text`` in half-width characters."""
    return sum(2 if _is_wide(character) else 1 for character in text)


def _pieces(text: str) -> list[str]:
    """Pieces between which a line may break; a closing mark stays with what it closes."""
    pieces = [""]
    for character in text:
        may_break = pieces[-1].endswith(" ") or (pieces[-1] and (_is_wide(pieces[-1][-1]) or _is_wide(character)))
        compares = character in _COMPARISONS or pieces[-1].rstrip()[-1:] in _COMPARISONS
        closes = unicodedata.category(character) in {"Pe", "Po", "Pf"}
        opened = pieces[-1] and unicodedata.category(pieces[-1][-1]) in {"Ps", "Pi"}
        if may_break and not (closes or opened or compares):
            pieces.append("")
        pieces[-1] += character
    return pieces


def _shortened(line: str, width: int) -> str:
    if display_width(line) <= width:
        return line
    kept = line.rstrip(_ELLIPSIS)
    while kept and display_width(kept + _ELLIPSIS) > width:
        kept = kept[:-1]
    return kept + _ELLIPSIS


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
