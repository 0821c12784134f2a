"""The one exception type for user mistakes, shared with :mod:`retrieval` (which must not import this package)."""

from retrieval.errors import InputError

__all__ = ["InputError"]
