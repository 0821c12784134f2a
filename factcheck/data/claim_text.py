"""A claim without what news and social media put around it: datelines, alerts, outlets, marks of pictures, hashtags.

Furniture says nothing of what the claim says, and a model that was not trained on it takes it for content. The rules leave alone
whatever could be meant: a name that is no known outlet, a hedge ("allegedly", "unconfirmed reports"), an attribution to somebody
("according to the BBC"), a label that judges ("fact check:", "satire:"), a hashtag inside the sentence (which loses its sign alone). A
claim that consists of furniture only stays as it is.

Training and verification clean claims by :func:`clean_claim`, the one function for both.
"""

import re

from factcheck.data.text import clean_text

__all__ = ["clean_claim", "strip_furniture"]

_AGENCY = r"(?:Reuters|AP|AFP|UPI|ANI|PTI|IANS|Xinhua|dpa|DPA|EFE|ANSA|Tass|TASS|CNN|BBC|Bloomberg|Kyodo|Yonhap|Anadolu|PA|KNS)"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_DASH = r"(?:\s*[-–—]+\s+|\s*:\s+)"
_PLACE = r"[A-Z][A-Z.'’\-]+(?:[ /][A-Z][A-Z.'’\-]*){0,3}"
_ALERTS = (
    r"breaking(?: news)?|just in|news ?flash|news alert|alert|urgent|exclusive|watch(?: live| now)?|videos?|photos?|pictures?|pictured|"
    r"in pictures|live(?: updates?| blog)?|updated?|developing(?: story)?|viral(?: post| video| photo| message)?|flash|top story|"
    r"latest(?: news)?|trending|must (?:read|watch|see)|read(?: more)?|listen|podcast|forwarded(?: message| as received)?|"
    r"shared post|headlines?|tweet|facebook post|caption|claim|press release|news|tonight|today|this morning|reports?|"
    r"explainer|explained|wow|shocking|look|see|it['’]s official|on this day"
)
_SECTIONS = r"World|Politics|Business|Sports?|Science|Health|Technology|Entertainment|Lifestyle|Election \d{4}"
_MEDIA_WORD = (
    r"News|Times|Post|Daily|Herald|Tribune|Guardian|Journal|Telegraph|Gazette|Chronicle|Mail|Express|Mirror|Observer|Independent|TV|"
    r"Radio|Press|Media|Magazine|Online|Weekly|Newspaper|BBC|CNN|Reuters|AFP|Bloomberg|NPR|CBS|NBC|ABC|MSNBC|Politico|Newsweek|"
    r"Breitbart|BuzzFeed|Axios|NDTV|Hindustan|Al Jazeera|Sky|Fox|Stories"
)
_NAME = r"(?:[A-Z0-9][\w.&’']*|of|the|and)"

_PREFIXES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:[•▪►▶>»🚨🔴⚠👉🔥‼❗📢📣⬇]\s*)+",
        r"RT\s+@\w{1,30}\s*:?\s+",
        r"@\w{1,30}\s*:\s+",
        # LONDON (Reuters) - …; NEW DELHI, Jan 5 (ANI): …; (AP) …
        rf"(?:{_PLACE}|(?:[A-Z][\w.'’\-]+[ ]?){{1,3}})(?:,\s+[A-Z][\w. ]{{1,20}}?)?(?:,\s+{_MONTH}\s+\d{{1,2}})?"
        rf"\s*[(\[]{_AGENCY}[)\]]{_DASH}",
        rf"(?:{_PLACE}|[A-Z][a-z]+(?: [A-Z][a-z]+)?)(?:,\s+[A-Z][a-z]+)?,\s+{_MONTH}\s+\d{{1,2}}{_DASH}",
        rf"[(\[]{_AGENCY}[)\]](?:{_DASH}|\s+)",
        rf"(?i:[(\[]?(?:{_ALERTS})[)\]]?)[\s🚨🔴🔥]*(?:\s*[:|!]+|\s+[-–—]+)\s+",
        rf"(?:{_SECTIONS})(?:\s*[:|]|\s+[-–—]+)\s+(?=[A-Z])",
        rf"\[(?=[^\]]*\b(?:{_MEDIA_WORD})\b){_NAME}(?:\s+{_NAME}){{0,4}}\]\s+",
        r"“(?!.*”)",
        # In capitals before a sentence that is not.
        r"(?:BREAKING(?: NEWS)?|JUST IN|WATCH|VIDEO|EXCLUSIVE)\s+(?=[A-Z]?[^A-Z\s]*[a-z])",
    )
)
#: Attributions to nobody: behind one the sentence begins anew.
_LEADS = re.compile(
    r"(?i:according to (?:media |news |press |local |recent )*reports?,|according to (?:the |local )?(?:news|media),|"
    r"it (?:is|was|has been|is being) reported that|(?:media |news |local |press )*reports (?:say|said|state|claim) that|"
    r"(?:local )?media (?:report|reports|reported) that|news agencies (?:report|reported) that|"
    r"did you know that|word is that)\s+"
)
_SUFFIXES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:\s*[🚨🔴⚠👉👇🔥‼❗📢📣⬇🙏])+",
        r"\s*[(\[](?i:videos?|photos?|pictures?|pics?|watch|exclusive|updated?|see (?:picture|video|photo)s?|live)[)\]]",
        rf"\s*[(\[]{_AGENCY}[)\]]",
        r"\s+[-–—]+\s+(?i:reports?|sources?|media|video|watch|live updates|breaking news)",
        r"(?i:,\s*(?:media |news )?reports? sa(?:y|ys|id)|,\s*according to (?:media |news )?reports)",
        rf"\s+[-–—|]+\s+(?:{_SECTIONS})",
        rf"\s+\|\s*{_NAME}(?:\s+{_NAME}){{0,4}}",
        rf"\s+[-–—]+\s+(?=(?:{_NAME}\s+){{0,4}}(?:{_MEDIA_WORD})\b){_NAME}(?:\s+{_NAME}){{0,4}}",
        r"\s+via\s+@\w{1,30}",
        r"(?i:\s*(?:…|\.\.\.)?\s*\[?\b(?:read|see|watch) more\]?(?:…|\.\.\.)?)",
        r"(?<=[.!?…])(?:\s+#\w+)+",
        r"(?:\s+#(?i:news|breaking(?:news)?|viral|update|trending|live|alert|factcheck|fakenews|today))+",
    )
)
_SUFFIXES = tuple(re.compile(rf"(?:{pattern.pattern})\s*$") for pattern in _SUFFIXES)
_HASHTAG = re.compile(r"(?<!\w)#(?=[^\W\d_])")
_WORD = re.compile(r"[^\W\d_]{2,}")
_MOST_PASSES = 6


def clean_claim(text: str) -> str:
    """A claim as the encoders read it: :func:`~factcheck.data.clean_text` without furniture; idempotent as both are.

    >>> clean_claim("BREAKING: LONDON (Reuters) - Finland will ban fur farms. #news")
    'Finland will ban fur farms.'
    """
    return strip_furniture(clean_text(text))


def strip_furniture(claim: str) -> str:
    """A cleaned claim without what surrounds it; the claim itself where nothing, or nothing but furniture, is there."""
    for _ in range(_MOST_PASSES):
        stripped = _once(claim)
        if stripped == claim:
            break
        claim = stripped
    return claim


def _once(claim: str) -> str:
    for pattern in _PREFIXES:
        if match := pattern.match(claim):
            claim = _kept(claim, claim[match.end() :])
    if match := _LEADS.match(claim):
        rest = claim[match.end() :]
        claim = _kept(claim, rest[:1].upper() + rest[1:])
    for pattern in _SUFFIXES:
        if match := pattern.search(claim):
            claim = _kept(claim, claim[: match.start()])
    return _HASHTAG.sub("", claim)


def _kept(whole: str, rest: str) -> str:
    """What is left, if it can be a claim: two words or more."""
    rest = rest.strip()
    return rest if len(_WORD.findall(rest)) >= 2 else whole
