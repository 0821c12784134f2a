"""Small modules, data and trainers of verdict training."""

import pytorch_lightning as pl
import torch

from factcheck.training.verdict.data import VerdictDataModule
from factcheck.training.verdict.module import VerdictModule


def module(tiny_bert, **options):
    """A module with random weights, the same ones each time, shaped as the ``tiny_model`` of conftest."""
    torch.manual_seed(0)
    settings = {"max_length": 64, "max_claim_tokens": 24, "fusion_dim": 32, "fusion_heads": 2, "token_relations": None}
    return VerdictModule(**{"text_model": str(tiny_bert), "image_weights": None, **settings, **options})


def data(folder, tiny_bert, **options):
    return VerdictDataModule(str(folder), **{"retrieval_encoder": str(tiny_bert), "batch_size": 4, **options})


def trainer(folder, **options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False, "accelerator": "cpu"}
    return pl.Trainer(default_root_dir=folder, **quiet, **options)
