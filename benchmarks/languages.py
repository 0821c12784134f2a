"""How many claims are taken for another language than the model's: false alarms in English, recall in others.

    python benchmarks/languages.py --data DATA

Reads the claims of ``DATA/claims-text/val.jsonl`` and ``DATA/more/*.jsonl`` (JSON Lines with ``claim`` and ``language``), each
alone, as for a row without evidence: whole, and cut to its first words, as a headline may be. Where words are not spaced (Chinese,
Japanese, Thai, Burmese) two words are the first four characters and four words the first eight.
"""

import argparse
import json
from pathlib import Path

from factcheck.data.language import detect_language, detect_short

ENGLISH = "en"
UNSPACED = ("zh", "ja", "th", "my")
CUTS = (None, 4, 2)


def held_back(text: str) -> bool:
    """Whether a claim without evidence is held back from a model that reads English."""
    return detect_language(text, [ENGLISH])[1] or detect_short([text], [ENGLISH]) is not None


def cut(claim: str, words: int | None, language: str) -> str:
    """The first ``words`` of a claim; the whole claim for None."""
    if words is None:
        return claim
    return claim.replace(" ", "")[: 2 * words] if language in UNSPACED else " ".join(claim.split()[:words])


def read(path: Path, most: int) -> dict[str, list[str]]:
    """Up to ``most`` different claims of each language, in the order of the file."""
    found: dict[str, dict[str, None]] = {}
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            claims = found.setdefault(row.get("language", ENGLISH), {})
            if len(claims) < most:
                claims[row["claim"]] = None
    return {language: list(claims) for language, claims in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--claims", type=int, default=400, help="of each language other than English")
    parser.add_argument("--show", action="store_true", help="print the English claims that are held back")
    args = parser.parse_args()
    english: list[str] = []
    for name in ("claims-text/val.jsonl", "more/val.jsonl"):
        english += read(args.data / name, 10_000)[ENGLISH]
    others = read(args.data / "more" / "train.jsonl", args.claims)
    others.pop(ENGLISH, None)
    print(f"{'':8}{'claims':>8}{'whole':>8}" + "".join(f"{f'{words} words':>9}" for words in CUTS if words))
    for language, claims in [(ENGLISH, english), *sorted(others.items())]:
        shares = []
        for words in CUTS:
            held = [text for claim in claims if held_back(text := cut(claim, words, language))]
            shares.append(len(held))
            if args.show and language == ENGLISH:
                print(*held, sep="\n")
        print(f"{language:8}{len(claims):8}{shares[0]:8}" + "".join(f"{share:9}" for share in shares[1:]), flush=True)


if __name__ == "__main__":
    main()
