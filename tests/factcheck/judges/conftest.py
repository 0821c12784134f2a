"""A cross-encoder trained once for all tests of judges."""

import pytest
from judge_models import NAMES, save_with_order, train_cross_encoder


@pytest.fixture(scope="session")
def cross_encoder():
    return train_cross_encoder()


@pytest.fixture(scope="session")
def cross_encoder_folder(cross_encoder, tmp_path_factory):
    return save_with_order(cross_encoder, (0, 1, 2), dict(enumerate(NAMES)), tmp_path_factory.mktemp("nli"))
