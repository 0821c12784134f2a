"""Sentence pairs about everyday scenes, made of photo captions, for a larger model to label.

    python benchmarks/caption_pairs.py DATA/photos/flickr8k.parquet --claims DATA/flickr-factify/train.csv \
        --leave-out DATA/claims-text/val.jsonl DATA/flickr-factify/val.csv --out DATA/captions.jsonl
    factcheck verify DATA/captions.jsonl --model runs/teacher/model --no-attribution --out DATA/all.parquet
    python benchmarks/unlabelled_pairs.py thin DATA/captions.jsonl DATA/all.parquet --out DATA/captions.parquet \
        --distractors 0.45

Three kinds of pairs: a caption and another of the same photo, a caption and a near one of another photo, and a sentence and a
variant of itself: negated, a word replaced by one for something else or something more general, an adjective added or left
out, the end cut off or taken from another caption. The last are the ones that small models get wrong. What a pair means is left
to the model that labels them. With ``--distractors`` some evidence stands among captions of other photos.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from unlabelled_pairs import claims_of, key, pairs_of, write

from retrieval import load_encoder

#: Words for different things of one kind.
SIBLINGS = """
    man woman boy girl child/men women boys girls children/dog cat horse bird/dogs cats horses/
    running sitting standing sleeping jumping walking swimming lying/runs sits stands sleeps jumps walks swims/
    black white brown red blue green yellow pink orange/one two three four five/beach street field pool park forest mountain/
    hat helmet shirt jacket dress/outside inside/outdoors indoors/bike motorcycle skateboard car/ball frisbee stick toy/
    water sand snow grass/young old/big small/large tiny/near far/empty crowded/guitar drum piano flute/smiling crying frowning/
    up down/playing fighting/eating cooking/holding throwing/climbing descending/wet dry/above under
"""
#: Words and more general or equal ones.
GENERAL = """
    man person/woman person/boy child/girl kid/child kid/men people/women people/boys children/girls children/children kids/
    dog animal/puppy dog/dogs animals/horse animal/bike bicycle/bicycle bike/motorcycle vehicle/car vehicle/running moving/
    runs moves/jumping leaping/jumps leaps/beach shore/street road/toddler child/lady woman/guy man/kid child/couple pair/
    field meadow/photo picture/snowboarder person/skateboarder person/surfer person/biker cyclist/player athlete/
    outside outdoors/outdoors outside/rock stone/jacket coat/shirt garment/ball toy/talking speaking/climbing scaling/
    grass lawn/big large/large big/small little/little small
"""
ADJECTIVES = """
    young old small large little big brown black white red blue green yellow pink tan blonde wet dirty happy smiling furry gray
    orange purple elderly bearded shirtless golden dark colorful long short bald
"""
ADDED = ("young", "old", "small", "large", "brown", "white", "happy", "tired")
PLURAL = "two three four some several many people men women boys girls kids children dogs"
_SUBJECT = re.compile(
    r"((?:A|An|The|Two|Three|Four|Some|Several|One|People|Man|Woman|Boy|Girl|Dog|Children)\b(?: [\w-]+){0,4}?) (?=\w{2,}ing\b)"
)
_NO_SUBJECT = re.compile(r"\b(?:is|are|in|on|with|and|of|at|who|that|by|for)\b")
_CLAUSE = re.compile(r"(A|An|The|One|Some|Two|Three) (.*?) (is|are) (\w+ing\b.*)")
_VERB = re.compile(r"\b(?:is|are) (?=\w+ing\b)")
_TAIL = re.compile(r",? (?:in|on|with|near|at|through|while|by|along|over|behind|next to|against) ")


def _table(groups: str, *, first_only: bool) -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for group in groups.split("/"):
        words = group.split()
        for word in words[:1] if first_only else words:
            table[word] = tuple(other for other in words if other != word)
    return table


_ADJECTIVES, _PLURAL = frozenset(ADJECTIVES.split()), frozenset(PLURAL.split())
_SIBLING, _GENERAL = _table(SIBLINGS, first_only=False), _table(GENERAL, first_only=True)


def tidy(caption: str) -> str:
    """A tokenised caption as a sentence without its full stop."""
    text = re.sub(r" ([,;:!?'])", r"\1", caption.strip().rstrip(".").strip())
    text = re.sub(r"\s+", " ", text.replace(" n't", "n't").replace(" - ", "-"))
    return text[:1].upper() + text[1:]


def with_verb(text: str) -> str:
    """ "A dog running" as "A dog is running"; anything else as it is."""
    match = _SUBJECT.match(text)
    if match is None or _NO_SUBJECT.search(match[1]):
        return text
    subject = match[1].split()
    if subject[-1].lower() in _ADJECTIVES or subject[-1] in ("A", "An", "The", "Two", "Three", "Four"):
        return text
    return f"{match[1]} {'are' if subject[0].lower() in _PLURAL else 'is'} {text[match.end() :]}"


def negated(text: str, rng: np.random.Generator) -> str | None:
    clause = _CLAUSE.fullmatch(text)
    if clause and rng.random() < 0.5:
        return f"There {clause[3]} no {clause[2]} {clause[4]}"
    verb = _VERB.search(text)
    return f"{text[: verb.end()]}not {text[verb.end() :]}" if verb else None


def replaced(text: str, table: dict[str, tuple[str, ...]], rng: np.random.Generator) -> str | None:
    words = text.split(" ")
    places = [i for i, word in enumerate(words) if word.lower().strip(",") in table]
    if not places:
        return None
    place = places[rng.integers(len(places))]
    old = words[place].lower().strip(",")
    new = table[old][rng.integers(len(table[old]))]
    words[place] = words[place].lower().replace(old, new.capitalize() if place == 0 else new)
    return " ".join(words)


def without_adjective(text: str, rng: np.random.Generator) -> str | None:
    words = text.split(" ")
    places = [i for i, word in enumerate(words) if word.lower() in _ADJECTIVES and 0 < i < len(words) - 1]
    if not places:
        return None
    del words[places[rng.integers(len(places))]]
    return " ".join(words)


def with_adjective(text: str, rng: np.random.Generator) -> str | None:
    words = text.split(" ")
    articles = ("a", "an", "the", "two")
    places = [
        i for i, w in enumerate(words) if i and w.lower().strip(",") in _SIBLING and words[i - 1].lower() in articles
    ]
    if not places:
        return None
    words.insert(places[rng.integers(len(places))], ADDED[rng.integers(len(ADDED))])
    return " ".join(words)


def shortened(text: str, rng: np.random.Generator) -> str | None:
    ends = [match.start() for match in _TAIL.finditer(text) if len(text[: match.start()].split()) >= 4]
    return text[: ends[rng.integers(len(ends))]] if ends else None


def extended(text: str, other: str) -> str | None:
    match = _TAIL.search(other)
    tail = other[match.start() :] if match else ""
    return text + tail if 0 < len(tail.split()) < 9 else None


def variant(text: str, other: str, rng: np.random.Generator) -> str | None:
    """The sentence changed in one or two ways, or None where none applies.

    Args:
        text: a sentence.
        other: another one, which may lend it its end.
        rng: makes the choices.
    """
    ways: dict[str, Callable[[str], str | None]] = {
        "negated": lambda t: negated(t, rng),
        "sibling": lambda t: replaced(t, _SIBLING, rng),
        "general": lambda t: replaced(t, _GENERAL, rng),
        "shortened": lambda t: shortened(t, rng),
        "without": lambda t: without_adjective(t, rng),
        "with": lambda t: with_adjective(t, rng),
        "extended": lambda t: extended(t, other),
    }
    changed = start = with_verb(text)
    for way in rng.choice(list(ways), size=rng.integers(1, 3), replace=False):
        changed = ways[way](changed) or changed
    return changed if changed != start else None


def make(args: argparse.Namespace) -> None:
    left_out: set[str] = set()
    for path in args.leave_out:
        left_out |= {key(claim) for claim in claims_of(path)}
        left_out |= {key(row.document[0]) for row in pairs_of(path, None)}
    texts: dict[str, tuple[str, int]] = {}
    for photo, captions in enumerate(pq.read_table(args.captions, columns=["captions"])["captions"].to_pylist()):
        for caption in map(tidy, captions):
            if 4 <= len(caption.split()) <= 24 and key(caption) not in left_out:
                texts.setdefault(key(caption), (caption, photo))
    captions = len(texts)
    for path in args.claims:
        for claim in claims_of(path):
            if key(claim) not in left_out:
                texts.setdefault(key(claim), (claim, -1 - len(texts)))  # of no photo that a caption shares
    sentences, photos = [text for text, _ in texts.values()], np.array([photo for _, photo in texts.values()])
    by_photo: dict[int, list[int]] = {}
    for number, photo in enumerate(photos.tolist()):
        by_photo.setdefault(photo, []).append(number)
    near = nearest(load_encoder().encode(sentences), captions)
    rng = np.random.default_rng(args.seed)
    made: dict[tuple[str, str], dict] = {}

    def add(claim: str, evidence: str) -> None:
        pair = key(claim), key(evidence)
        if pair[0] == pair[1] or left_out & set(pair):
            return
        made.setdefault(pair, {"claim": claim, "document": [evidence], "source": args.name})

    for number, text in enumerate(sentences):
        same = [i for i in by_photo[int(photos[number])] if i != number]
        others = [i for i in near[number] if photos[i] != photos[number]]
        if same and rng.random() < 0.25:
            add(with_verb(text), sentences[same[rng.integers(len(same))]])
        if rng.random() < 0.25:
            add(with_verb(text), sentences[others[rng.integers(len(others))]])
        for _ in range(args.variants):
            changed = variant(text, sentences[others[rng.integers(len(others))]], rng)
            if changed is not None:
                add(*((changed, text) if rng.random() < 0.6 else (text, changed)))
    rows = list(made.values())
    write(args.out, [rows[i] for i in rng.permutation(len(rows))])
    print(f"{len(rows)} pairs of {captions} captions and {len(sentences) - captions} claims")


def nearest(vectors: np.ndarray, captions: int, count: int = 20) -> list[Sequence[int]]:
    """The captions nearest to each sentence, itself left out."""
    result: list[Sequence[int]] = []
    for start in range(0, len(vectors), 1024):
        scores = vectors[start : start + 1024] @ vectors[:captions].T
        order = np.argpartition(-scores, count, axis=1)[:, : count + 1]
        result += [[i for i in row if i != start + place][:count] for place, row in enumerate(order.tolist())]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("captions", type=Path, help="Parquet with a column of captions, a list a photo")
    parser.add_argument("--claims", type=Path, nargs="*", default=[], help="tables whose claims take part")
    parser.add_argument(
        "--leave-out", type=Path, nargs="*", default=[], help="files none of whose sentences takes part"
    )
    parser.add_argument("--variants", type=int, default=1, help="variants of a sentence, at most")
    parser.add_argument("--name", default="caption-pairs", help="source that the rows name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    make(parser.parse_args())


if __name__ == "__main__":
    main()
