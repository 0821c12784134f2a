"""The interface of a stance judge: claim and evidence in, three probabilities out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from factcheck.models.inputs import TextRow

__all__ = ["Judge", "Judgement", "RowWithImages"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a judge says of one claim.

    Attributes:
        stance: three probabilities that add up to 1, order of ``labels.STANCES``; None where the judge failed.
        explanation: one sentence in the judge's words, for the verdict table; None where it gives none.
        cited: indexes of the evidence sentences that it rests on, from 0, most telling first; None where it does not say.
        problem: why there is no stance (the row's status is then ``error``), or why it is worth less than others
            (``degraded``), opening with a word and a colon (``judge: timed out after 60 s``); None where all went well.
    """

    stance: tuple[float, float, float] | None
    explanation: str | None = None
    cited: tuple[int, ...] | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RowWithImages(TextRow):
    """The texts of a row with its encoded images, for judges that look at them.

    Attributes:
        images: the claim's and the document's, as bytes of a file; None for one that is not there.
    """

    images: tuple[bytes | None, bytes | None] = (None, None)


class Judge(ABC):
    """Says what evidence means for a claim. The image relation is not its business: that stays with the verdict model.

    A judgement depends on its own row alone, not on its neighbours, their order or number (to 1e-5, where the judge computes it
    itself), and a judge may be asked by several threads at once.

    Attributes:
        leave_one_out: whether attribution may ask again without each sentence. False where each question costs money or
            seconds; attribution is then null.
        reads_images: whether rows come as :class:`RowWithImages`.
        languages: ISO 639 codes of the languages that it reads; empty where that is not known, and no row is held back.
    """

    leave_one_out: bool = True
    reads_images: bool = False
    languages: tuple[str, ...] = ()

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Changes with whatever changes judgements (weights, calibration, prompt); goes into the verdict table."""

    @abstractmethod
    def judge(self, rows: Sequence[TextRow]) -> list[Judgement]:
        """One judgement a row, in order.

        Args:
            rows: cleaned claim, selected evidence sentences (best first, at least one unless attribution leaves it out) and
                the text read off either photo.

        Raises nothing for a row: a row that cannot be judged comes back with ``stance=None`` and its ``problem``.
        """
