"""What news and social media put around a sentence, which says nothing of what it says."""

import re

import numpy as np

from factcheck.training.facts.names import OUTLETS, city, people, pick

__all__ = ["furnish"]

_BEFORE = tuple(
    "BREAKING|BREAKING NEWS|Breaking|JUST IN|WATCH|VIDEO|Video|PHOTO|PHOTOS|Pictured|LIVE|Live updates|UPDATE|UPDATED"
    "|EXCLUSIVE|Exclusive|Opinion|"
    "News|NEWS ALERT|ALERT|Alert|URGENT|Tonight|Today|This morning|Viral post|Viral video|Viral|Claim|Fact check|FACT CHECK"
    "|Headline|Report|Reports|"
    "Listen|Podcast|In pictures|Explained|Explainer|Confirmed|CONFIRMED|Developing|DEVELOPING|Must read|Must watch|Look|See"
    "|Read|Read more|Shared post|"
    "Forwarded|Forwarded as received|Trending|Top story|Latest|LATEST|World|Politics|Business|Sport|Science|Health"
    "|Election 2024|Flashback|Revealed|"
    "Shocking|WOW|Official|It's official|Press release|Statement|Newsflash|Flash|Headlines|Caption|Tweet|Facebook post|On this day".split(
        "|"
    )
)
_LEADS = tuple(
    "According to reports,|According to local media,|Reports say that|It is reported that|It has been reported that"
    "|Local media report that|"
    "News agencies report that|According to the news,|As reported by {outlet},|{outlet} reports that|{outlet} reported that"
    "|According to {outlet},|"
    "A post says that|A viral post says that|A widely shared post claims that|A video caption says|Did you know that"
    "|Here is the news:|We learned that|"
    "It was announced that|The news is that|Sources say|Media reports say that|As seen on TV,|As the {outlet} writes,"
    "|Word is that|Fact:".split("|")
)
_AFTER = tuple(
    "(VIDEO)\t(video)\t(PHOTOS)\t[VIDEO]\t[Watch]\t(WATCH)\t(PICTURES)\t(Exclusive)\t(updated)\t- reports\t- report"
    "\t- sources\t- media\t- video\t"
    "- watch\t- live updates\t| {outlet}\t| {outlet}\t- {outlet}\t- {outlet}\t– {outlet}\t— {outlet}\tvia @{handle}\t#{tag}"
    "\t#{tag} #{tag2}\t@{handle}\t"
    "| News\t| World News\t... read more\t…\t, reports say\t, according to reports\t, {outlet} reports\t, report says\t!\t!!"
    "\t?!\t🚨\t🔥\t🙏\t(Reuters)\t"
    "[Photo]\t(see picture)\t👇\tpic below\t- News 24\t| News at 10\t| Top Stories\t- Breaking News\t- World\t| Politics".split(
        "\t"
    )
)
_DATELINES = (
    "{CITY} ({agency}) - ",
    "{CITY} ({agency}) — ",
    "{CITY}, {month} {day} ({agency}) - ",
    "{city}: ",
    "{CITY} – ",
    "{city}, {month} {day}: ",
    "({agency}) ",
)
_HANDLES = (
    "RT @{handle}: ",
    "@{handle}: ",
    "@{handle} ",
    "#{tag}: ",
    "#{tag} ",
    "🚨 ",
    "🔴 ",
    ">> ",
    "• ",
    "“",
    "[{outlet}] ",
    "{outlet}: ",
    "{outlet} | ",
)
_TAGS = (
    "news breaking viral update trending world politics covid economy sports today live fakenews truth alert".split()
)
_MONTHS = "Jan Feb March April May June July Aug Sept Oct Nov Dec".split()
# Words that keep their capital behind "reports say that".
_COMMON = re.compile(
    r"^(The|A|An|It|There|This|That|These|Those|In|On|At|More|Most|Many|Some|All|No|Two|Three|Four|Five|Six|Seven|Eight|Nine|Ten|Several|"
    r"Scientists|Police|People|Researchers|Workers|Prices|He|She|They|We|Thousands|Hundreds|Millions|Half|Over|About|Nearly"
    r"|At least|Up to)\b"
)


def furnish(claim: str, rng: np.random.Generator) -> str:
    """The claim with something before or behind it (or both) that leaves its truth alone.

    Args:
        claim: a sentence or a headline.
        rng: makes the choice.
    """
    text = claim.strip()
    names = {
        "outlet": pick(OUTLETS, rng),
        "city": city(rng),
        "agency": pick(("Reuters", "AP", "AFP", "dpa", "ANI", "Xinhua", "PTI", "Tass", "EFE"), rng),
        "handle": "".join(people(rng, 1)[0].split()).lower() + pick(("", "_news", "24", "_official", "tv"), rng),
        "tag": pick(_TAGS, rng),
        "tag2": pick(_TAGS, rng).title(),
        "month": pick(_MONTHS, rng),
        "day": str(rng.integers(1, 29)),
    }
    names["CITY"] = names["city"].upper()
    draw = rng.random()
    if draw < 0.35:
        text = f"{pick(_BEFORE, rng)}{pick((': ', ': ', ' - ', ' | ', '! ', ' – '), rng)}{text}"
    elif draw < 0.5:
        text = f"{pick(_LEADS, rng).format(**names)} {_lowered(text, rng)}"
    elif draw < 0.62:
        text = pick(_DATELINES, rng).format(**names) + text
    elif draw < 0.72:
        text = pick(_HANDLES, rng).format(**names) + text
    if draw >= 0.72 or rng.random() < 0.12:
        text = f"{text.rstrip('.')}{_glue(after := pick(_AFTER, rng).format(**names))}{after}"
    return text


def _glue(after: str) -> str:
    return "" if after[0] in ",!?…." else " "


def _lowered(text: str, rng: np.random.Generator) -> str:
    """Behind a lead the first word loses its capital; names often lose theirs, too, where nobody looks."""
    if _COMMON.match(text) or rng.random() < 0.4:
        return text[0].lower() + text[1:]
    return text
