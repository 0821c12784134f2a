"""Cleaning text for the encoders: entities, tags, links, invisible characters, Unicode forms, white space."""

import html
import re
import unicodedata

__all__ = ["clean_text"]

# Characters that show nothing: controls other than white space, format characters (Unicode category Cf: zero-width,
# direction marks, soft hyphen, tags), variation selectors, lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000110bd\U000110cd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
# Only entities closed by a semicolon: `AT&amplify` and `?a=1&copy=2` are text.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
# `&amp;amp;lt;`: text escaped several times, undone in one step.
_NESTED_AMPERSAND = re.compile(r"&(?:(?:amp|AMP|#0{0,4}38|#[xX]0{0,4}26);)+")
# A tag opens with a letter, slash, exclamation or question mark: `x < 3 > y` and `<3` are text.
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_TLD = (
    r"(?:com|org|net|edu|gov|info|biz|mil|int|news|tv|io|co\.uk|org\.uk|gov\.uk|co\.in|gov\.in|org\.in|nic\.in|com\.au)"
)
_LINK = re.compile(
    # Twitter's short links first: they are plain ASCII and often stick to the text that follows.
    r"(?:https?://)?\b(?:t\.co|pic\.twitter\.com|pic\.x\.com)/[A-Za-z0-9]*(?:\.\.\.)?"
    # Any address with a scheme, or cut off inside it.
    r"|(?:https?|ftp)(?::/{0,2}\.\.\.|://[^\s<>\"“”]*)"
    r"|\bwww\.[^\s<>\"“”]+"
    # A bare host, with or without a path: it names the source as well as an address does.
    r"|(?<![\w@.-])(?:[a-z0-9](?:[a-z0-9-]{0,62})\.){1,8}" + _TLD + r"(?![\w-]|\.[a-z0-9])(?:/[^\s<>\"“”]*)?",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
_MAYBE_LINK = re.compile(r"[./:]")
_MOST_PASSES = 8


def clean_text(text: str) -> str:
    """``text`` as the encoders read it: one line of visible, normalised characters without mark-up or links.

    HTML entities are decoded (also doubly escaped ones), left-over tags become a space, links and bare host names are
    removed because they name the source of a text (see "What must never leak" in the design notes), control and
    zero-width characters are dropped, Unicode is brought to form NFKC, and runs of white space become one space.
    ``clean_text(clean_text(x)) == clean_text(x)`` for every ``x``.

    Character spans refer to original text, so this is applied to each sentence before encoding, never to a document
    before it is split.

    >>> clean_text("Profits &amp;amp; losses:<br>up 3% pic.twitter.com/Ab3 ")
    'Profits & losses: up 3%'
    """
    for _ in range(_MOST_PASSES):
        cleaned = _clean_once(text)
        if cleaned == text:
            return cleaned
        text = cleaned
    # Nested deeper than any article: an attack on the cleaner. Nothing is left to decode without these three.
    for _ in range(_MOST_PASSES):
        cleaned = _clean_once(re.sub("[&<>]", " ", text))
        if cleaned == text:
            break
        text = cleaned
    return text


def _clean_once(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), _NESTED_AMPERSAND.sub("&", text))
    if "<" in text:
        text = _TAG.sub(" ", text)
    if _MAYBE_LINK.search(text):
        text = _LINK.sub(" ", text)
    return _SPACE.sub(" ", text).strip()
