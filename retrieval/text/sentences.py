"""Sentence splitting by rules, with spans into the original text.

Rules instead of a trained splitter because the spans must reproduce the text exactly, nothing may be lost on any input
(headlines, lists, captions, several scripts), and a document must split the same way on every machine.
"""

import re
import unicodedata
from dataclasses import dataclass

from retrieval.arguments import checked_int
from retrieval.errors import InputError

__all__ = ["MAX_CHARS", "Sentence", "split_sentences"]

#: Default longest sentence, in characters: about 120 tokens, so that five of them and a claim fit a 512-token encoder.
MAX_CHARS = 500

# Stops that need no space after them: CJK, Devanagari danda, Urdu, Arabic, Armenian, Ethiopic, Khmer, Burmese.
_FULL_STOPS = "。！？｡।॥۔؟։።፧។៕။"
_CLOSERS = "\"'”’»›)]}」』】）］〉》"
_OPENERS = "\"'“‘„«‹([{「『【（［〈《¿¡*_-–—"
_STOP = re.compile(rf"(?:[{_FULL_STOPS}]+|[.!?…‼⁇⁈⁉]+)(?:[{re.escape(_CLOSERS)}]|\[\d{{1,3}}\])*")
# No pattern may look at a run of characters again from each place in it: documents come with megabytes of blanks, addresses or
# base64. Hence the lookbehinds (start at the run's beginning alone) and possessive quantifiers.
_NEWLINE = re.compile(r"(?:\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])\s*+")
_BLANKS = " \t\f\v"
_BULLET = re.compile(r"(?<!\s)\s++(?=[•▪◦‣●■►]\s?\S)")
_LIST_MARKER = re.compile(r"\s*[(\[]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})[.)]$")
_PROTECTED = re.compile(
    r"(?:https?://|ftp://|www\.)\S+"
    r"|(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+"
    r"|(?<![\w-])[\w-]++(?:\.[\w-]++){0,30}\.(?:com|org|net|gov|edu|mil|int|info|io|ai|uk|co|de|fr|eu|in|us|ca|au|ru|cn|jp|br|html?|pdf|jpe?g|png)\b(?:/\S*)?"
)
_SPACE = re.compile(r"\s")
#: No abbreviation is longer: so far back the word before a stop is looked for.
_MOST_BEFORE = 64
_WORD_AFTER = re.compile(r"[^\W_]+")
_CLAUSE = re.compile(r"[;:,、，；：](?=\s)|[、，；：]|\s[-–—](?=\s)|—")

# Words whose full stop does not end a sentence: titles; organisations and addresses; references; dates and measures; Latin and
# common short forms; German. Left out: words that end sentences more often than they abbreviate ("sun", "sat", "art").
_SHORT = """
mr mrs ms mx dr prof sen rep reps sens gen gov lt col sgt cpl capt cmdr adm maj rev hon pres messrs mme mlle fr sr jr st
inc ltd co corp bros dept univ assn ave blvd rd mt ft
no nos vol vols pp p fig figs eq sec ch ed eds al op cit ibid viz cf
jan feb mar apr jun jul aug sep sept oct nov dec tue tues thu thur thurs fri approx ca circa avg rs
e.g i.e eg ie vs v etc a.k.a ph.d
z.b d.h bzw usw nr bd str
"""
_STARTERS = """
The This That These Those There Then They Their It Its He She His Her We Our You Your My An In On At As But And
However If When While Where Who What Why How After Before Since Although Though Because Some Many Most Both
According Meanwhile With From By For Another Such So Also Now Today Yesterday Moreover Furthermore
"""

#: Lower-case, without the final stop. Dotted ones (``e.g``) keep their inner stops.
_ABBREVIATIONS = frozenset(_SHORT.split())

#: After an abbreviation that may also end a sentence (``U.S.``, ``Inc.``), one of these words begins a new one.
_SENTENCE_STARTERS = frozenset(_STARTERS.split())


@dataclass(frozen=True)
class Sentence:
    """A sentence and where it stands: ``text == original[start:end]``.

    Attributes:
        text: the sentence, without white space around it.
        start: its first character in the original text.
        end: one past its last character.
    """

    text: str
    start: int
    end: int


def split_sentences(text: str, *, max_chars: int = MAX_CHARS) -> list[Sentence]:
    """Split a text into sentences.

    A sentence ends at a stop that is not part of a number, an abbreviation, an initial or an address (with or without a
    space after it: ``Monday.Two``), at the stops of scripts without case, at a line break that does not continue a
    sentence, and before a bullet. A sentence of more than ``max_chars`` characters is cut at a clause, else at a space,
    else anywhere.

    Args:
        text: any text; may be empty.
        max_chars: longest sentence, at least 20.

    Returns:
        The sentences in order. Their spans do not overlap, and every character outside them is white space.

    Raises:
        InputError: ``max_chars`` is too small, or ``text`` is no string.
    """
    if not isinstance(text, str):
        raise InputError(
            f"split_sentences needs a string, got {type(text).__name__}", hint="join or decode the text first"
        )
    checked_int("max_chars", max_chars, 20)
    sentences = []
    for start, end in _lines(text):
        for left, right in _join_fragments(text, _stops(text, start, end), max_chars):
            sentences += [Sentence(text[a:b], a, b) for a, b in _cut(text, left, right, max_chars)]
    return sentences


def _lines(text: str) -> list[tuple[int, int]]:
    """Spans between the line breaks and bullets that end a sentence (headlines, list items, paragraphs)."""
    spans, start = [], 0
    breaks = sorted(
        [(m.start(), m.end(), True) for m in _NEWLINE.finditer(text)]
        + [(m.start(), m.end(), False) for m in _BULLET.finditer(text)]
    )
    for left, right, newline in breaks:
        while newline and left > start and text[left - 1] in _BLANKS:
            left -= 1
        if left < start or (newline and _continues(text, start, left, right)):
            continue
        spans.append((start, left))
        start = right
    spans.append((start, len(text)))
    return [span for span in (_strip(text, a, b) for a, b in spans) if span[0] < span[1]]


def _continues(text: str, start: int, left: int, right: int) -> bool:
    """Whether a single line break stands inside a sentence: text wrapped to a width goes on in lower case."""
    line_breaks = len(re.findall(r"\r\n|[\n\r\u2028\x85]", text[left:right]))
    if line_breaks > 1 or right >= len(text) or left <= start:
        return False
    return text[right].islower() and text[left - 1] not in ".!?:;…" + _FULL_STOPS


def _stops(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Spans between the stops of one line."""
    protected = [
        (m.start(), m.start() + len(m.group().rstrip(".,;:!?…" + _CLOSERS)))
        for m in _PROTECTED.finditer(text, start, end)
    ]
    spans, left, address = [], start, 0
    for match in _STOP.finditer(text, start, end):
        while address < len(protected) and protected[address][1] <= match.start():
            address += 1
        if address < len(protected) and protected[address][0] <= match.start():
            continue
        if match.end() < end and _is_boundary(text, left, match, end):
            spans.append((left, match.end()))
            left = _strip(text, match.end(), end)[0]
    spans.append((left, end))
    return [(a, b) for a, b in spans if a < b]


def _is_boundary(text: str, start: int, match: re.Match, end: int) -> bool:
    mark, after = match.group(), match.end()
    if mark[0] in _FULL_STOPS:
        return True
    spaced = text[after].isspace()
    first = after
    while first < end and (text[first].isspace() or text[first] in _OPENERS):
        first += 1
    if first == end:
        return spaced
    following = text[first]
    if following.islower():
        return False
    before = _word_before(text, start, match.start())
    if not spaced:
        # "Monday.Two", "2015.The": a capitalised word glued to a finished one; "U.S", "Node.JS" and "3.5" are not.
        if not (following.isupper() and first + 1 < end and text[first + 1].islower()):
            return _uncased(following) and first == after
        return len(before) > 1 and "." not in before and before.lower() not in _ABBREVIATIONS
    if mark[0] != "." or mark.startswith(".."):
        return True
    if _LIST_MARKER.fullmatch(text, start, match.start() + 1):
        return False
    if len(mark) > 1:
        # A closing quote or bracket after the stop: "(Smith et al.) The" does not end, "he left.) The" does.
        return before.lower() not in _ABBREVIATIONS or _starts_sentence(text, first, end)
    initial = len(before) == 1 and before.isupper()
    dotted = "." in before and all(len(part) <= 2 for part in before.split("."))
    if before.lower() in _ABBREVIATIONS or initial or dotted:
        # "No." is a word as well; it abbreviates "number" before a digit only.
        if before == "No" and not following.isdigit():
            return True
        return _starts_sentence(text, first, end)
    return True


def _word_before(text: str, start: int, end: int) -> str:
    """The letters, digits, hyphens, apostrophes and inner stops that end at ``end``; the last ``_MOST_BEFORE`` of them."""
    left = end
    while left > max(start, end - _MOST_BEFORE):
        char = text[left - 1]
        if not (_is_word(char) or char in "'’-" or (char == "." and left < end and _is_word(text[left]))):
            break
        left -= 1
    while left < end and not text[left].isalnum():
        left += 1
    return text[left:end]


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _starts_sentence(text: str, first: int, end: int) -> bool:
    word = _WORD_AFTER.match(text, first, end)
    return word is not None and word.group() in _SENTENCE_STARTERS and text[word.end() : word.end() + 1] != "."


def _uncased(char: str) -> bool:
    """A letter of a script without upper and lower case (CJK, Devanagari, Arabic …)."""
    return char.isalpha() and not char.isupper() and not char.islower() and unicodedata.category(char) == "Lo"


def _join_fragments(text: str, spans: list[tuple[int, int]], max_chars: int) -> list[tuple[int, int]]:
    """Attach pieces without a letter or digit (stray quotes, dots) to their neighbour in the same line."""
    joined: list[tuple[int, int]] = []
    for left, right in spans:
        if joined:
            before = joined[-1]
            bare = not _has_word(text, left, right) or not _has_word(text, *before)
            if bare and right - before[0] <= max_chars:
                joined[-1] = (before[0], right)
                continue
        joined.append((left, right))
    return joined


def _has_word(text: str, start: int, end: int) -> bool:
    return any(char.isalnum() for char in text[start:end])


def _cut(text: str, start: int, end: int, max_chars: int) -> list[tuple[int, int]]:
    """Cut a span into pieces of at most ``max_chars``: after a clause mark, else at a space, else anywhere."""
    pieces = []
    while end - start > max_chars:
        low, high = start + max_chars // 3, start + max_chars
        cut = max((m.end() for m in _CLAUSE.finditer(text, low, high)), default=0)
        cut = cut or max((m.start() for m in _SPACE.finditer(text, low, high)), default=0)
        if not cut:
            cut = high
            # Never between a letter and its combining mark, nor inside a joined emoji.
            while cut > low and (
                unicodedata.combining(text[cut]) or text[cut] in "\u200d\ufe0f" or text[cut - 1] == "\u200d"
            ):
                cut -= 1
        pieces.append(_strip(text, start, cut))
        start, _ = _strip(text, cut, end)
    pieces.append((start, end))
    return [(a, b) for a, b in pieces if a < b]


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
