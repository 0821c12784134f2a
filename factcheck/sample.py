"""The sample that ships with the package: claims, photos and a small corpus made for this project."""

from pathlib import Path

from factcheck.errors import InputError

__all__ = ["sample_folder"]


def sample_folder() -> Path:
    """The folder that holds ``claims.csv``, ``corpus.jsonl``, ``claims_open.jsonl`` and the photos.

    Raises:
        InputError: the installation lacks it.
    """
    here = Path(__file__).resolve().parent
    # In a wheel the sample lies inside the package; in a checkout, at the top of the repository.
    for folder in (here / "_sample", here.parent / "data" / "sample"):
        if (folder / "claims.csv").is_file():
            return folder
    raise InputError(f"the bundled sample is missing beside {here}; install the package again")
