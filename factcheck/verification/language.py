"""Rows in a language that the model does not read: said, and not judged.

Outside its languages a model is confidently wrong: what it cannot read it mostly takes for a contradiction.
"""

from collections.abc import Sequence
from importlib.metadata import version

from factcheck.data.language import RULES, detect_language, detect_short
from factcheck.data.scripts import script_not_read
from factcheck.errors import InputError
from factcheck.verification.decide import Decision
from factcheck.verification.notes import Notes
from factcheck.verification.rows import Row

__all__ = ["LanguageGuard"]


class LanguageGuard:
    """An :class:`~factcheck.verification.notes.Annotator` that fills in ``language`` and holds back what the model cannot read.

    Args:
        languages: ISO 639-1 codes that the model reads; empty if that is not known, and nothing is held back.
        any_language: judge every row whatever its language; it still says so.

    Raises:
        InputError: a code is not two or three letters.
    """

    def __init__(self, languages: Sequence[str] = (), *, any_language: bool = False) -> None:
        for code in languages:
            if not (
                isinstance(code, str) and code.isascii() and code.isalpha() and code.islower() and len(code) in (2, 3)
            ):
                raise InputError(f"`languages` holds {code!r}, expected ISO 639 codes such as 'en'", field="languages")
        self.languages, self.any_language = tuple(languages), any_language

    @property
    def fingerprint(self) -> str:
        """What of it decides a verdict."""
        any_language = " any" if self.any_language else ""
        return f"languages {' '.join(self.languages)}{any_language}, rules {RULES}, py3langid {version('py3langid')}"

    def __call__(self, row: Row, decision: Decision) -> Notes:
        """The language of claim and evidence; that of the claim where they differ and both are read."""
        said = " ".join(row.cleaned)
        claim, foreign = detect_language(row.claim, self.languages)
        evidence, foreign_evidence = detect_language(said, self.languages)
        if claim is None and not (foreign or foreign_evidence):
            claim = detect_short([row.claim] if evidence else [row.claim, said], self.languages)
            foreign = claim is not None
        if not (foreign or foreign_evidence):
            return Notes(language=claim or evidence)
        found = claim if foreign else evidence
        named = found or f"unknown ({script_not_read(row.claim if foreign else said, self.languages)} script)"
        told = f"{named}; the model reads {', '.join(self.languages)}"
        if self.any_language:
            return Notes(language=found, reasons=(f"text: in {told}",))
        return Notes(language=found, reasons=(f"language: {told}",), abstain=True)
