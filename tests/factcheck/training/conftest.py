"""What tests of training share: a cache of their own, and this folder on the path for ``training_parts``."""

import logging

import pytest


@pytest.fixture(autouse=True)
def log_for_caplog(monkeypatch):
    """What a command of an earlier test has set up would keep messages from ``caplog``."""
    monkeypatch.setattr(logging.getLogger("factcheck"), "propagate", True)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTCHECK_CACHE", str(tmp_path / "cache"))
