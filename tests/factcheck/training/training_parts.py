"""Small modules, data and trainers of verdict training."""

from dataclasses import fields

import pytorch_lightning as pl
import torch

from factcheck.models.verdict import VerdictConfig
from factcheck.training.verdict.augment import Augmentation
from factcheck.training.verdict.data import Mixture, PredictOptions, VerdictDataModule
from factcheck.training.verdict.losses import LossOptions
from factcheck.training.verdict.module import VerdictModule
from factcheck.training.verdict.optim import OptimOptions, TextOptions
from factcheck.training.verdict.rows import EvidenceSelection

GROUPS = {"network": VerdictConfig, "text": TextOptions, "optim": OptimOptions, "loss": LossOptions}
DATA_GROUPS = {"selection": EvidenceSelection, "mixture": Mixture, "augmentation": Augmentation}


def grouped(groups, options):
    """Options by the name of their field, in the group that has it."""
    own = {name: {} for name in groups}
    rest = {}
    for option, value in options.items():
        places = [name for name, kind in groups.items() if option in {field.name for field in fields(kind)}]
        (own[places[0]] if places else rest)[option] = value
    return {name: kind(**own[name]) for name, kind in groups.items()} | rest


def module(tiny_bert, **options):
    """A module with random weights, the same ones each time, shaped as the ``tiny_model`` of conftest."""
    torch.manual_seed(0)
    settings = {"max_length": 64, "max_claim_tokens": 24, "fusion_dim": 32, "fusion_heads": 2, "token_relations": None}
    settings = {"text_model": str(tiny_bert), "image_weights": None, **settings, **options}
    return VerdictModule(**grouped(GROUPS, settings))


def data(folder, tiny_bert, predict=None, **options):
    settings = {"retrieval_encoder": str(tiny_bert), "batch_size": 4, **options}
    return VerdictDataModule(str(folder), **grouped(DATA_GROUPS, settings), predict=PredictOptions(**(predict or {})))


def trainer(folder, **options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "accelerator": "cpu"}
    return pl.Trainer(default_root_dir=folder, **quiet, **options)
