import pytest
import torch

from factcheck.training.losses import NOT_SUPPORT, UNLABELLED, stance_loss, supervised_loss


def test_full_labels_are_cross_entropy():
    logits = torch.randn(6, 3)
    target = torch.tensor([0, 1, 2, 0, 1, 2])
    expected = torch.nn.functional.cross_entropy(logits, target)
    torch.testing.assert_close(stance_loss(logits, target), expected)


def test_two_way_rows_are_charged_for_the_probability_of_support():
    logits = torch.tensor([[2.0, 0.5, -1.0]])
    p = logits.softmax(1)[0]
    torch.testing.assert_close(stance_loss(logits, torch.tensor([NOT_SUPPORT])), -torch.log(p[1] + p[2]))


def test_unlabelled_rows_weigh_nothing():
    logits = torch.randn(4, 3, requires_grad=True)
    mixed = stance_loss(logits, torch.tensor([0, UNLABELLED, NOT_SUPPORT, UNLABELLED]))
    alone = stance_loss(logits[[0, 2]], torch.tensor([0, NOT_SUPPORT]))
    torch.testing.assert_close(mixed, alone)
    mixed.backward()
    assert logits.grad[[1, 3]].abs().sum() == 0
    assert logits.grad[[0, 2]].abs().sum() > 0


@pytest.mark.parametrize("loss", [stance_loss, supervised_loss])
def test_a_batch_without_labels_gives_zero_and_a_gradient(loss):
    logits = torch.randn(3, 3, requires_grad=True)
    value = loss(logits, torch.full((3,), UNLABELLED))
    value.backward()
    assert value.item() == 0
    assert logits.grad.abs().sum() == 0


def test_partial_supervision_of_five_classes():
    logits = torch.randn(4, 5)
    target = torch.tensor([4, UNLABELLED, 0, UNLABELLED])
    expected = torch.nn.functional.cross_entropy(logits[[0, 2]], target[[0, 2]])
    torch.testing.assert_close(supervised_loss(logits, target), expected)
