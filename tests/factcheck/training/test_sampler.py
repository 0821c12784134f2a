from collections import Counter

import numpy as np
import pytest

from factcheck.errors import InputError
from factcheck.training.sampler import MixtureBatchSampler


def flat(sampler):
    return [i for batch in sampler for i in batch]


def test_weight_one_is_every_row_once():
    sampler = MixtureBatchSampler(range(103), [1.0] * 103, batch_size=8)
    assert sorted(flat(sampler)) == list(range(103))
    assert len(list(sampler)) == len(sampler) == 13


def test_weights_set_the_expected_draws():
    weights = [2.0] * 10 + [0.25] * 40
    sampler = MixtureBatchSampler([1] * 50, weights, batch_size=4)
    draws = Counter()
    for epoch in range(200):
        sampler.set_epoch(epoch)
        draws.update(flat(sampler))
    assert all(draws[i] == 400 for i in range(10))
    mean = np.mean([draws[i] for i in range(10, 50)])
    assert mean == pytest.approx(50, abs=1)
    assert max(draws[i] for i in range(10, 50)) < 80


def test_a_row_of_weight_zero_never_comes():
    sampler = MixtureBatchSampler([1] * 6, [0, 1, 0, 1, 0, 1], batch_size=2)
    for epoch in range(20):
        sampler.set_epoch(epoch)
        assert set(flat(sampler)) == {1, 3, 5}


def test_the_order_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        sampler = MixtureBatchSampler(range(50), [1.0] * 50, 4, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(0, 3) == order(0, 3)
    assert order(0, 3) != order(0, 4)
    assert order(0, 3) != order(1, 3)


def test_skipping_resumes_with_the_next_batch_once():
    sampler = MixtureBatchSampler(range(50), [1.0] * 50, 4)
    sampler.set_epoch(2)
    whole = list(sampler)
    sampler.set_epoch(2, skip=5)
    assert list(sampler) == whole[5:]
    assert list(sampler) == whole


def test_replicas_share_the_batches_and_take_the_same_number_of_steps():
    parts = [MixtureBatchSampler(range(45), [1.0] * 45, 4, rank=r, replicas=2) for r in range(2)]
    batches = [list(part) for part in parts]
    assert len(batches[0]) == len(batches[1]) == len(parts[0])
    assert {i for part in batches for batch in part for i in batch} == set(range(45))


@pytest.mark.parametrize(("rows", "replicas"), [(10, 4), (70, 8), (96, 4), (1, 3)])  # 1, 3, 3 and 1 batches
def test_every_replica_has_batches_where_there_are_fewer_than_replicas(rows, replicas):
    parts = [MixtureBatchSampler(range(rows), [1.0] * rows, 32, rank=r, replicas=replicas) for r in range(replicas)]
    assert [len(list(part)) for part in parts] == [len(parts[0])] * replicas == [1] * replicas
    assert {i for part in parts for i in flat(part)} == set(range(rows))


def test_like_lengths_share_a_batch():
    lengths = list(np.random.default_rng(0).permutation(400))
    sampler = MixtureBatchSampler(lengths, [1.0] * 400, 8, bucket=50)
    spread = [max(lengths[i] for i in batch) - min(lengths[i] for i in batch) for batch in sampler]
    assert max(spread) <= 8


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0], [1.0]])
def test_bad_weights(weights):
    with pytest.raises(InputError, match="weights"):
        MixtureBatchSampler([1, 1], weights, 2)
