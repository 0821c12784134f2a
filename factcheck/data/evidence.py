"""From a document to the sentences that evidence is selected from: one path for verification, training and baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from factcheck.data.text import clean_text
from retrieval.text.sentences import Sentence, split_sentences

__all__ = ["document_sentences"]


def document_sentences(
    document: str | Sequence[str], spans: Sequence[Mapping[str, int]] | None = None
) -> list[Sentence]:
    """The sentences of a document, their texts cleaned for the encoders, as :func:`retrieval.select_evidence` takes them.

    Args:
        document: the whole text as it stands, or its sentences.
        spans: its sentences as ``{"start", "end"}`` where they are given (see :func:`factcheck.records.claims_schema`);
            None to split the text. Not with a list of sentences.

    Returns:
        The sentences in order, none left out (a number is a place in the document). Each span refers to ``document`` (a
        list of sentences counts as joined by one space); each text is cleaned, so it need not equal what the span quotes
        and may be empty.
    """
    if not isinstance(document, str):
        starts = accumulate((len(text) + 1 for text in document), initial=0)
        sentences = [Sentence(text, start, start + len(text)) for text, start in zip(document, starts, strict=False)]
    elif spans is None:
        sentences = split_sentences(document)
    else:
        sentences = [Sentence(document[s["start"] : s["end"]], s["start"], s["end"]) for s in spans]
    # Cleaned one by one and after the split: spans must refer to the original text.
    return [replace(sentence, text=clean_text(sentence.text)) for sentence in sentences]
