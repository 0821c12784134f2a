import pytest
import torch

from factcheck.training.verdict.losses import NOT_SUPPORT, UNLABELLED, stance_loss, supervised_loss


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


def test_soft_labels_share_the_loss_with_the_label_and_have_the_whole_of_unlabelled_rows():
    logits = torch.randn(5, 3)
    target = torch.tensor([2, UNLABELLED, 0, NOT_SUPPORT, UNLABELLED])
    nothing = [float("nan")] * 3
    soft = torch.tensor([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1], nothing, [0.1, 0.1, 0.8], nothing])
    log_p = logits.log_softmax(1)
    other = -(soft.nan_to_num() * log_p).sum(1)
    two_way = -torch.log(1 - logits[3].softmax(0)[0])
    rows = [0.75 * -log_p[0, 2] + 0.25 * other[0], other[1], -log_p[2, 0], 0.75 * two_way + 0.25 * other[3]]
    torch.testing.assert_close(stance_loss(logits, target, 0.0, soft, 0.25), sum(rows) / 4)


def test_soft_labels_of_certainty_are_labels():
    logits = torch.randn(4, 3)
    target = torch.tensor([0, 1, 2, 1])
    soft = torch.nn.functional.one_hot(target, 3).float()
    unlabelled = torch.full((4,), UNLABELLED)
    torch.testing.assert_close(stance_loss(logits, unlabelled, soft=soft), stance_loss(logits, target))


def test_half_precision_logits_give_the_loss_in_single_precision():
    logits = torch.randn(4, 3)
    target = torch.tensor([0, NOT_SUPPORT, UNLABELLED, 2])
    soft = torch.full((4, 3), 1 / 3)
    exact = stance_loss(logits, target, 0.1, soft)
    half = stance_loss(logits.bfloat16(), target, 0.1, soft)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, atol=0.02, rtol=0.02)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(stance_loss(logits.bfloat16(), target, 0.1, soft), exact, atol=0.02, rtol=0.02)
