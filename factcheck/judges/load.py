"""A judge by its name."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from factcheck.errors import InputError
from factcheck.judges.base import Judge

__all__ = ["JUDGES", "NAMED_JUDGES", "load_judge"]

#: Scheme of a name to ``module:function``, the function that makes the judge of what follows the colon.
JUDGES: dict[str, str] = {
    "hf": "factcheck.judges.huggingface:CrossEncoderJudge",
    "openai": "factcheck.judges.server:from_name",
}
#: Judges that a name alone is enough for.
NAMED_JUDGES: dict[str, str] = {"multilingual": "factcheck.judges.multilingual:multilingual_judge"}


def load_judge(name: str, **options: Any) -> Judge:
    """The judge ``SCHEME:REST``, or one of :data:`NAMED_JUDGES`.

    Args:
        name: which one; the schemes are the keys of :data:`JUDGES`.
        options: keyword arguments of the scheme's function.

    Raises:
        InputError: no such scheme, or its function refuses the rest.
    """
    if name in NAMED_JUDGES:
        return _maker(NAMED_JUDGES[name])(**options)
    scheme, colon, rest = name.partition(":")
    if not colon or scheme not in JUDGES:
        known = ", ".join([*(f"{scheme}:…" for scheme in JUDGES), *NAMED_JUDGES])
        raise InputError(f"`judge` is {name!r}, which names no judge", field="judge", hint=f"known are {known}")
    return _maker(JUDGES[scheme])(rest, **options)


def _maker(where: str) -> Callable[..., Judge]:
    module, _, function = where.partition(":")
    make: Callable[..., Judge] = getattr(import_module(module), function)
    return make
