"""Who did it to whom: the two sides of relations that are not the same both ways."""

from collections.abc import Sequence
from dataclasses import dataclass

from factcheck.differences.lexicon import OPPOSITES, STOPWORDS, word_set
from factcheck.differences.tokens import Token, stems

__all__ = ["Role", "find_roles", "roles_agree"]

#: Stems of verbs whose two sides cannot be swapped in one event.
_ASYMMETRIC = stems(
    """beat defeat succeed replace buy sell sue kill attack invade criticise criticize accuse hire fire appoint arrest murder
    shoot stab assassinate overthrow conquer occupy colonise colonize bite chase eat follow precede outscore outperform overtake elect
    nominate endorse support oppose teach train coach inspire influence write direct produce invent discover found create own fund sponsor
    hit strike push pull lift carry feed catch help rescue save threaten warn blame praise thank mock insult condemn denounce challenge
    employ manage supervise lead rule govern dominate control sanction bomb shell capture imprison kidnap rob betray divorce
    adopt raise bear father inherit outrank outnumber outlive sign lend donate give send pay owe trick deceive convict
    prosecute interview question photograph paint draw record cover translate edit contain include cause prevent tackle wash brush
    ride drive watch hunt throw hold touch poke scold lick hug kick punch slap surround lose win trail"""
)
_BE = word_set("is are was were be been being get got gets")
_DETERMINERS = word_set("the a an his her its their this that these those my our your")
_OVER = frozenset(["against", "over"])
_KIN = word_set("""father mother son daughter uncle aunt nephew niece grandfather grandmother grandson successor predecessor capital
    part author teacher student pupil employer employee owner subsidiary parent child founder coach manager boss
    deputy disciple""")
_BARRED = frozenset((";", ":", ".", "!", "?", "(", ")", "|"))
_MOST = 3
#: Share of a side's words that make it the same side.
_MOST_OF = 0.6


@dataclass(frozen=True, slots=True)
class Role:
    """A relation: ``verb`` holds from ``agent`` to ``patient`` (stems of up to three words each), at token ``at``.

    ``spans`` are the tokens of the sides, so that a reader can be shown them.
    """

    verb: str
    agent: frozenset[str]
    patient: frozenset[str]
    at: int
    spans: tuple[tuple[int, int], tuple[int, int]]


def find_roles(tokens: Sequence[Token]) -> list[Role]:
    """The relations of a sentence that can be read off the order of its words."""
    found: list[Role] = []
    for i, token in enumerate(tokens):
        if not token.is_word:
            continue
        if token.stem in _ASYMMETRIC and not (token.is_cap and i):
            role = _of_verb(tokens, i)
        elif token.low == "than" and i and tokens[i - 1].low in OPPOSITES:
            role = _of_comparison(tokens, i)
        elif token.low == "of" and i and tokens[i - 1].low in _KIN:
            role = _make(tokens, tokens[i - 1].low, i - 1, _before(tokens, i - 1), _after(tokens, i + 1))
        else:
            continue
        if role is not None:
            found.append(role)
    return found


def _of_verb(tokens: Sequence[Token], i: int) -> Role | None:
    verb, j = tokens[i].stem, i + 1
    following = tokens[j].low if j < len(tokens) else ""
    if verb == "lose":
        return _make(tokens, "beat", i, _after(tokens, j + 1), _before(tokens, i)) if following == "to" else None
    if verb == "win":
        return _make(tokens, "beat", i, _before(tokens, i), _after(tokens, j + 1)) if following in _OVER else None
    if following == "by":
        return _make(tokens, verb, i, _after(tokens, j + 1), _before(tokens, i))
    if following == "and":
        return None  # "written and directed by": the sides stand elsewhere
    if any(token.low in _BE for token in tokens[max(0, i - 2) : i]):
        if tokens[i].low.endswith("ing"):
            return _make(tokens, verb, i, _before(tokens, i), _after(tokens, j))
        k = next((k for k in range(j, min(j + 6, len(tokens))) if tokens[k].low == "by"), None)
        return None if k is None else _make(tokens, verb, i, _after(tokens, k + 1), _before(tokens, i))
    return _make(tokens, verb, i, _before(tokens, i), _after(tokens, j))


def _of_comparison(tokens: Sequence[Token], than: int) -> Role | None:
    word = tokens[than - 1].low
    first, second = _before(tokens, than - 1), _after(tokens, than + 1)
    other = min(OPPOSITES[word])
    if other < word:  # "smaller" is "larger" turned round
        word, first, second = other, second, first
    return _make(tokens, word + " than", than - 1, first, second)


def _make(tokens: Sequence[Token], verb: str, at: int, agent: tuple[int, int], patient: tuple[int, int]) -> Role | None:
    one, two = _stems(tokens, agent), _stems(tokens, patient)
    if not one or not two or not (_is_side(tokens, agent) and _is_side(tokens, patient)):
        return None
    return Role(verb, one, two, at, (agent, patient))


def _is_side(tokens: Sequence[Token], span: tuple[int, int]) -> bool:
    """Whether words are surely someone or something: with a capital, or behind "the", "a", "his"; else they may be anything."""
    if any(token.is_cap for token in tokens[slice(*span)]):
        return True
    return any(token.low in _DETERMINERS for token in tokens[max(0, span[0] - 1) : span[1]])


def _stems(tokens: Sequence[Token], span: tuple[int, int]) -> frozenset[str]:
    return frozenset(t.stem for t in tokens[span[0] : span[1]] if t.is_word and t.low not in STOPWORDS)


def _before(tokens: Sequence[Token], i: int) -> tuple[int, int]:
    """The tokens of the side left of ``i``: up to three words with meaning, past small words, within the clause."""
    stop = i
    while (
        stop
        and (tokens[stop - 1].low in STOPWORDS or tokens[stop - 1].low.endswith("ly"))
        and tokens[stop - 1].low not in ("who", "which", "that")
    ):
        stop -= 1
    start, seen = stop, 0
    while start and seen < _MOST and i - start < 8:
        token = tokens[start - 1]
        if (
            token.text in _BARRED
            or token.text == ","
            or (token.low in STOPWORDS and token.low not in ("of", "the", "and"))
            or not token.is_word
        ):
            break
        seen += token.low not in STOPWORDS
        start -= 1
    return start, stop


def _after(tokens: Sequence[Token], i: int) -> tuple[int, int]:
    start = i
    while (
        start < len(tokens)
        and start - i < 3
        and tokens[start].low in ("the", "a", "an", "his", "her", "their", "its", "by", "out", "off", "up")
    ):
        start += 1
    stop, seen = start, 0
    while stop < len(tokens) and seen < _MOST and stop - start < 8:
        token = tokens[stop]
        if not token.is_word or (token.low in STOPWORDS and token.low not in ("of", "the", "and")):
            break
        seen += token.low not in STOPWORDS
        stop += 1
    return start, stop


def roles_agree(claim: Role, evidence: Role) -> bool | None:
    """True where both have the same sides in the same places, False where swapped, None where it is not the same relation."""
    if claim.verb != evidence.verb:
        return None
    straight = _meet(claim.agent, evidence.agent), _meet(claim.patient, evidence.patient)
    crossed = _meet(claim.agent, evidence.patient), _meet(claim.patient, evidence.agent)
    if all(straight) and not all(crossed):
        return True
    return False if all(crossed) and not any(straight) else None


def _meet(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sides are the same: most words of the shorter one stand in the other."""
    return len(one & other) >= _MOST_OF * min(len(one), len(other))
