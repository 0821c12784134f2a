"""What decides the stance of a claim from its evidence: the bundled fusion model, or whatever else implements ``Judge``."""

from typing import TYPE_CHECKING

from retrieval.lazy import lazy_names

if TYPE_CHECKING:
    from factcheck.judges.base import Judge, Judgement, RowWithImages
    from factcheck.judges.fusion import FusionJudge
    from factcheck.judges.load import load_judge

__all__ = ["FusionJudge", "Judge", "Judgement", "RowWithImages", "load_judge"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {"FusionJudge": ".fusion", "Judge": ".base", "Judgement": ".base", "RowWithImages": ".base", "load_judge": ".load"},
)
