"""Any Hugging Face sequence classifier as a judge: NLI cross-encoders, fact-checking heads."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from yaml import YAMLError

from factcheck.errors import InputError
from factcheck.judges.base import Judge, Judgement
from factcheck.judges.label_names import stance_map
from retrieval.arguments import checked_choice, checked_int
from retrieval.encoders.batching import batches_by_length, pad
from retrieval.encoders.pretrained import hash_folder, load_pretrained, load_tokenizer, loading, resolve_pretrained
from retrieval.errors import as_input_error

if TYPE_CHECKING:
    import torch

    from factcheck.models.inputs import TextRow

__all__ = ["CrossEncoderJudge"]

# Without a limit of its own a model reads this much; it is also the least that a claim leaves for evidence.
_DEFAULT_LENGTH = 512
_LEAST_EVIDENCE = 16


class CrossEncoderJudge(Judge):
    """A sequence classifier over (evidence, claim), as NLI models read premise and hypothesis.

    Evidence sentences, best first, and the text read off the document's photo are packed whole into as few windows as the model's
    length allows; a sentence that is longer than a window is cut. Of several windows the one that is least undecided speaks,
    because what settles a claim stands in one of them (as SummaC, arXiv 2111.09525, and MiniCheck, arXiv 2404.10774, take the
    largest score). A claim that is too long keeps its beginning.

    Args:
        name: folder or Hugging Face id of a model with a sequence-classification head.
        device: where it runs; None is the CPU.
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        max_length: tokens of a pair; None takes what tokenizer and position embeddings allow, 512 at most.
        claim_first: the model reads (claim, evidence) instead.
        labels: what its labels mean where their names do not say, ``{"LABEL_1": "support", "LABEL_0": "not_support"}``.
        tokens_at_once: padded tokens in one forward pass.

    Raises:
        InputError: nothing can be loaded under that name, it has no classification head, its labels do not say what they mean,
            or an option is out of range. All but the loading itself is found before weights are read.
    """

    def __init__(
        self,
        name: str | os.PathLike[str],
        *,
        device: "str | torch.device | None" = None,
        dtype: str = "float32",
        max_length: int | None = None,
        claim_first: bool = False,
        labels: Mapping[str, str] | None = None,
        tokens_at_once: int = 4096,
    ) -> None:
        import torch

        checked_choice("dtype", dtype, ("float32", "bfloat16", "float16"))
        self.tokens_at_once = checked_int("tokens_at_once", tokens_at_once, 1)
        self.name, self.claim_first = os.fspath(name), claim_first
        folder = resolve_pretrained(self.name, "judge")
        self.languages = _languages(folder)
        self.stance_map = stance_map(_classifier_labels(self.name, folder), labels)
        from transformers import AutoModelForSequenceClassification

        with loading("judge", self.name):
            self._tokenizer = load_tokenizer(folder)
            model = load_pretrained(AutoModelForSequenceClassification, folder)
        if not all(parameter.isfinite().all() for parameter in model.parameters()):
            raise InputError(f"judge {self.name!r} has weights that are not numbers", hint="fetch or export it again")
        self._model = model.eval().requires_grad_(False).to(device or "cpu", getattr(torch, dtype))
        self.max_length = _length(self._tokenizer, self._model.config, max_length)
        self._special = self._tokenizer.num_special_tokens_to_add(pair=True)
        self._pad = self._tokenizer.pad_token_id or 0
        roles = ",".join(self.stance_map.roles)
        self._fingerprint = "hf-" + hash_folder(folder, f"judge {self.max_length} {claim_first} {dtype} {roles}")[:16]

    @property
    def fingerprint(self) -> str:
        """Content hash of weights, tokenizer and options."""
        return self._fingerprint

    def judge(self, rows: "Sequence[TextRow]") -> list[Judgement]:
        """One judgement a row; see :class:`~factcheck.judges.base.Judge`."""
        pairs: list[tuple[str, str]] = []
        owners: list[int] = []
        for number, row in enumerate(rows):
            for window in self._windows(row):
                pairs.append(window)
                owners.append(number)
        probabilities = self.stance_map.stances(self._probabilities(pairs))  # (windows, 3)
        chosen: dict[int, np.ndarray] = {}
        for owner, values in zip(owners, probabilities, strict=True):
            # Undecided is column 1; the first of equals stays, so that the better evidence speaks.
            if owner not in chosen or values[1] < chosen[owner][1]:
                chosen[owner] = values
        return [_judgement(chosen[number]) for number in range(len(rows))]

    def _windows(self, row: "TextRow") -> list[tuple[str, str]]:
        """The texts (evidence, claim) of each window of a row; one with no evidence where there is none."""
        room = self.max_length - self._special
        texts = [row.claim, *row.evidence, *([row.document_ocr] if row.document_ocr else [])]
        lengths = [len(ids) for ids in self._tokens(texts)["input_ids"]]
        claim, used = row.claim, lengths[0]
        most = room - min(_LEAST_EVIDENCE, room // 2)
        if used > most:
            claim, used = self._shortened(claim, most), most
        windows: list[list[str]] = [[]]
        free = room - used
        for sentence, length in zip(texts[1:], lengths[1:], strict=True):
            if windows[-1] and length > free:
                windows.append([])
                free = room - used
            windows[-1].append(sentence)
            free -= length
        return [(" ".join(window), claim) for window in windows]

    def _tokens(self, texts: Sequence[str], **options: Any) -> Any:
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # no lone surrogates
        return self._tokenizer(clean, add_special_tokens=False, return_attention_mask=False, **options)

    def _shortened(self, text: str, tokens: int) -> str:
        if self._tokenizer.is_fast:
            return text[: self._tokens([text], return_offsets_mapping=True)["offset_mapping"][0][tokens - 1][1]]
        return str(self._tokenizer.decode(self._tokens([text])["input_ids"][0][:tokens]))

    def _probabilities(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """(windows, labels) probabilities, in batches of windows of about equal length."""
        import torch

        out = np.zeros((len(pairs), len(self.stance_map.roles)), np.float64)
        if not pairs:
            return out
        evidence, claims = (
            [text.encode("utf-8", "replace").decode("utf-8") for text in side] for side in zip(*pairs, strict=True)
        )
        encoded = self._tokenizer(
            *((claims, evidence) if self.claim_first else (evidence, claims)),
            # Joined sentences may have a few tokens more than each alone.
            truncation="only_second" if self.claim_first else "only_first",
            max_length=self.max_length,
            return_attention_mask=False,
        )
        types = encoded.get("token_type_ids")
        device = next(self._model.parameters()).device
        with torch.inference_mode():
            for rows, ids in batches_by_length(encoded["input_ids"], 64, self.tokens_at_once):
                tokens, mask = pad(ids, self._pad)
                inputs = {"input_ids": tokens, "attention_mask": mask}
                if types is not None:
                    inputs["token_type_ids"] = pad([types[i] for i in rows], 0)[0]
                tensors = {key: torch.from_numpy(value).to(device) for key, value in inputs.items()}
                out[rows] = self._model(**tensors).logits.double().softmax(-1).cpu().numpy()
        return out


def _judgement(stance: np.ndarray) -> Judgement:
    if not np.isfinite(stance).all():
        return Judgement(stance=None, problem="judge: its output is not a number (NaN or infinite)")
    support, insufficient, refute = (float(value) for value in stance / stance.sum())
    return Judgement(stance=(support, insufficient, refute))


def _classifier_labels(name: str, folder: Path) -> dict[int, str]:
    """``id2label`` of a classifier, from its configuration alone.

    Raises:
        InputError: the configuration cannot be read, or is not that of a sequence classifier.
    """
    with as_input_error(f"judge {name!r}: its config.json cannot be read", OSError, ValueError):
        config: Any = json.loads((folder / "config.json").read_text("utf-8"))
    kinds = config.get("architectures") if isinstance(config, dict) else None
    if not any("ForSequenceClassification" in str(kind) for kind in kinds or []):
        found = ", ".join(map(str, kinds or [])) or "a model of unknown kind"
        raise InputError(
            f"judge {name!r} is {found}, which has no classification head",
            field="judge",
            hint="give a sequence classifier, for example an NLI cross-encoder",
        )
    labels = config.get("id2label")
    if isinstance(labels, dict) and labels and all(str(key).isdigit() for key in labels):
        return {int(key): str(value) for key, value in labels.items()}
    # transformers leaves out the names that it would give by itself.
    count = config.get("num_labels", 2)
    return {i: f"LABEL_{i}" for i in range(count if isinstance(count, int) and 0 < count < 100 else 2)}


def _languages(folder: Path) -> tuple[str, ...]:
    """The languages that a model's configuration (``languages``) or card (``language``) names; empty where there are none."""
    from huggingface_hub import ModelCard

    stated: Any = json.loads((folder / "config.json").read_text("utf-8")).get("languages")
    if stated is None and (folder / "README.md").is_file():
        try:
            stated = ModelCard.load(folder / "README.md", ignore_metadata_errors=True).data.language
        except (OSError, ValueError, YAMLError):
            return ()
    codes = [stated] if isinstance(stated, str) else stated if isinstance(stated, list) else []
    if not all(isinstance(code, str) and re.fullmatch("[a-z]{2,3}", code) for code in codes):
        return ()  # "multilingual", for one
    return tuple(codes)


def _length(tokenizer: Any, config: Any, asked: int | None) -> int:
    """Tokens of a pair, which neither the tokenizer nor the position embeddings may be too short for."""
    positions = getattr(config, "max_position_embeddings", None)
    limit = min(int(tokenizer.model_max_length), 10**6)
    # RoBERTa and its kin count positions from the padding index on.
    if isinstance(positions, int) and positions > 0:
        offset = config.pad_token_id + 1 if "roberta" in config.model_type or config.model_type == "camembert" else 0
        limit = min(limit, positions - offset)
    if asked is None:
        return min(limit, _DEFAULT_LENGTH)
    checked_int("max_length", asked, 2 * _LEAST_EVIDENCE)
    if asked > limit:
        raise InputError(f"`max_length` is {asked}, but the judge reads {limit} tokens at most", field="max_length")
    return asked
