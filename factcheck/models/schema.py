"""What ``config.json`` of a model folder may say, with bounds: damaged and hostile files are refused before a network is built."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from factcheck.errors import InputError
from factcheck.twins.variants import VARIANTS

__all__ = ["IMAGE_ENCODER", "VERDICT_MODEL", "check_fields", "read_json", "shown"]

#: What is expected, where a value is not that; None where it is.
Check = Callable[[Any], str | None]

_LARGEST_FILE = 64 * 2**20
_DEEPEST = 8


def read_json(path: Path, advice: str) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        InputError: it cannot be read, is larger than any configuration, or holds something else; ends with ``advice``.
    """
    try:
        large = path.stat().st_size > _LARGEST_FILE
        content = None if large else json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})", hint=advice) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})", hint=advice) from None
    if large:
        raise InputError(f"{path}: too large for a configuration", hint=advice)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds {type(content).__name__}, expected an object", hint=advice)
    return content


def check_fields(where: Path, content: Mapping[str, Any], fields: Mapping[str, Check], advice: str) -> None:
    """Refuse a configuration with a field that is missing or not what it must be; others are left alone.

    Raises:
        InputError: names the field, what was found and what is expected.
    """
    for name, check in fields.items():
        if expected := check(content.get(name)):
            raise InputError(f"{where}: {name} is {shown(content.get(name))}, expected {expected}", hint=advice)


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return None if good else f"a whole number from {least} to {most}"

    return check


def _number(least: float, below: float) -> Check:
    def check(value: Any) -> str | None:
        good = isinstance(value, int | float) and not isinstance(value, bool) and least <= value < below
        return None if good else f"a number in [{least:g}, {below:g})"

    return check


def _text(most: int) -> Check:
    return lambda value: None if isinstance(value, str) and len(value) <= most else f"text of at most {most} characters"


def _one_of(*names: str) -> Check:
    return lambda value: None if isinstance(value, str) and value in names else f"one of {', '.join(names)}"


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _optional(check: Check) -> Check:
    def or_null(value: Any) -> str | None:
        expected = None if value is None else check(value)
        return expected and f"{expected}, or null"

    return or_null


def _list(check: Check, least: int, most: int) -> Check:
    def each(value: Any) -> str | None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            return f"a list of {least} to {most}" if least < most else f"a list of {least}"
        return next((f"a list in which each is {expected}" for item in value if (expected := check(item))), None)

    return each


def _record(fields: Mapping[str, Check], *, closed: bool = False) -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, dict):
            return "an object"
        if closed and (unknown := set(value) - set(fields)):
            return f"an object without {sorted(map(str, unknown))[0]!r}"
        wrong = ((name, expected) for name, field in fields.items() if (expected := field(value.get(name))))
        return next((f"an object in which {name} is {expected}" for name, expected in wrong), None)

    return check


def _transformer(value: Any) -> str | None:
    """A ``transformers`` configuration: of any family, but of a size that somebody could have trained."""
    if not isinstance(value, dict) or not isinstance(value.get("model_type"), str) or len(value) > 500:
        return "a transformer's configuration with its model_type"
    return _sizes(value, "", 0)


def _sizes(value: Any, name: str, depth: int) -> str | None:
    if depth > _DEEPEST:
        return f"a configuration of at most {_DEEPEST} levels"
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else ((name, item) for item in value)
        return next((expected for key, item in items if (expected := _sizes(item, str(key), depth + 1))), None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    counts = any(word in name for word in ("layers", "heads", "num_hidden", "groups", "depth"))
    most = 1024 if counts else 2**22
    return None if math.isfinite(value) and abs(value) <= most else f"a configuration in which {name} is at most {most}"


def shown(value: Any) -> str:
    """A value as messages show it: its beginning."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _network(value: Any) -> str | None:
    """The name of a network of ours, or of timm's, whose own registry bounds what it makes."""
    if isinstance(value, str) and value.startswith("timm:") and len(value) < 200:
        return None
    return _one_of(*VARIANTS)(value)


_ENCODER: dict[str, Check] = {
    "name": _network,
    "input_size": _whole(32, 4096),
    "view_size": _optional(_whole(32, 4096)),
    "mean": _list(_number(-1e3, 1e3), 3, 3),
    "std": _list(_number(1e-6, 1e3), 3, 3),
    "head": _optional(_record({"embed_dim": _whole(1, 2**16), "layout_dim": _whole(0, 2**12)}, closed=True)),
}
_SETTINGS: dict[str, Check] = {
    "text_model": _text(4096),
    "image_encoder": _optional(_network),
    "image_weights": _optional(_text(4096)),
    "image_size": _optional(_whole(32, 4096)),
    "max_length": _whole(9, 2**16),
    "max_claim_tokens": _whole(8, 2**16),
    "token_relations": _optional(_one_of("words", "typed")),
    "word_match": _optional(_boolean),
    "fusion_dim": _whole(1, 2**13),
    "fusion_depth": _whole(1, 128),
    "fusion_heads": _whole(1, 1024),
    "dropout": _number(0, 1),
}
_SELECTION: dict[str, Check] = {
    "top_k": _optional(_whole(1, 10_000)),
    "retrieval_encoder": _optional(_text(4096)),
    "retrieval_method": _optional(_one_of("hybrid", "dense", "bm25")),
    "min_share": _optional(_number(0, 1.000001)),
}

#: Fields of an image encoder's folder.
IMAGE_ENCODER: dict[str, Check] = {**_ENCODER, "fingerprint": _optional(_text(64))}
#: Fields of a verdict model's folder.
VERDICT_MODEL: dict[str, Check] = {
    "model": _record(_SETTINGS, closed=True),
    "text_config": _transformer,
    "image_config": _optional(_record(_ENCODER)),
    "tokenizer": _one_of("bundled", "tokenizer"),
    "preprocessing": _record(_SELECTION),
    "languages": _optional(_list(_text(3), 0, 1000)),
    "inherited": _optional(_record({"tensors": _list(_text(1000), 0, 10**6), "sha256": _text(64)}, closed=True)),
}
