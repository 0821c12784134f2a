"""Check claims (text and photo) against evidence (articles and photos).

    from factcheck import Claim, Verifier
    verifier = Verifier.load("bundled")
    verdict = verifier.verify(Claim(claim="…", document="…"))

Importing this package loads no torch; the first use of :class:`Verifier` does.
"""

from typing import TYPE_CHECKING

from factcheck._version import __version__
from factcheck.errors import InputError
from factcheck.labels import FactifyLabel, ImageRelation, Stance
from factcheck.records import Claim, Evidence, Verdict
from retrieval.lazy import lazy_names

if TYPE_CHECKING:
    from factcheck.verification.image_vectors import image_similarity
    from factcheck.verification.verifier import Verifier

__all__ = [
    "Claim",
    "Evidence",
    "FactifyLabel",
    "ImageRelation",
    "InputError",
    "Stance",
    "Verdict",
    "Verifier",
    "__version__",
    "image_similarity",
]

__getattr__, __dir__ = lazy_names(
    __name__, {"Verifier": ".verification.verifier", "image_similarity": ".verification.image_vectors"}
)
