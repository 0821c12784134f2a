"""A judge whose answers are kept on disk, so that no question is asked or paid for twice."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from factcheck.judges.base import Judge, Judgement, RowWithImages
from retrieval.content_cache import ContentCache, content_key

if TYPE_CHECKING:
    from factcheck.models.inputs import TextRow

__all__ = ["CachedJudge"]


class CachedJudge(Judge):
    """Asks another judge only what has not been asked before: the same claim and evidence of a judge with the same fingerprint.

    Failures are not kept: they are asked again.

    Args:
        judge: whom to ask. Its fingerprint must cover whatever changes its answers.
        cache: where answers are kept; it may be shared by judges and processes.
    """

    def __init__(self, judge: Judge, cache: ContentCache) -> None:
        self.inner, self.cache = judge, cache
        self.leave_one_out, self.reads_images = judge.leave_one_out, judge.reads_images
        self.languages = judge.languages
        self.hits = 0

    @property
    def fingerprint(self) -> str:
        """That of the judge."""
        return self.inner.fingerprint

    def known(self, rows: "Sequence[TextRow]") -> list[bool]:
        """Which of the rows have been judged before."""
        return [value is not None for value in self.cache.get([self._key(row) for row in rows])]

    def judge(self, rows: "Sequence[TextRow]") -> list[Judgement]:
        """One judgement a row; see :class:`~factcheck.judges.base.Judge`."""
        keys = [self._key(row) for row in rows]
        found: dict[bytes, Judgement] = {}
        for key, value in zip(keys, self.cache.get(keys), strict=True):
            if value is not None:
                found[key] = _read(value)
        self.hits += sum(key in found for key in keys)
        missing = {key: row for key, row in zip(keys, rows, strict=True) if key not in found}
        answers = dict(zip(missing, self.inner.judge(list(missing.values())), strict=True)) if missing else {}
        self.cache.put({key: _written(answer) for key, answer in answers.items() if answer.stance is not None})
        return [found[key] if key in found else answers[key] for key in keys]

    def _key(self, row: "TextRow") -> bytes:
        images = [image or b"" for image in row.images] if isinstance(row, RowWithImages) else []
        texts = [row.claim, row.claim_ocr, row.document_ocr, *row.evidence]
        return content_key("judge", self.inner.fingerprint, *texts, str(len(images)), *images)


def _written(judgement: Judgement) -> bytes:
    fields = [judgement.stance, judgement.explanation, judgement.cited, judgement.problem]
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _read(value: bytes) -> Judgement:
    stance, explanation, cited, problem = json.loads(value.decode("utf-8", "surrogatepass"))
    return Judgement(
        stance=tuple(stance), explanation=explanation, cited=None if cited is None else tuple(cited), problem=problem
    )
