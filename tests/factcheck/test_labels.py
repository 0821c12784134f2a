import pytest

from factcheck.errors import InputError
from factcheck.labels import (
    FACTIFY_LABELS,
    STANCES,
    FactifyLabel,
    ImageRelation,
    Stance,
    compose_label,
    five_class_labels,
    parse_label,
    relation_of,
    stance_of,
)


def test_factify_names_are_those_of_the_files():
    assert [str(x) for x in FACTIFY_LABELS] == [
        "Support_Multimodal",
        "Support_Text",
        "Insufficient_Multimodal",
        "Insufficient_Text",
        "Refute",
    ]


@pytest.mark.parametrize("label", FACTIFY_LABELS)
def test_compose_inverts_the_parts(label):
    assert compose_label(stance_of(label), relation_of(label)) is label


@pytest.mark.parametrize("relation", [None, *ImageRelation])
def test_refute_ignores_the_relation(relation):
    assert compose_label(Stance.REFUTE, relation) is FactifyLabel.REFUTE


@pytest.mark.parametrize("stance", [Stance.SUPPORT, Stance.INSUFFICIENT])
def test_other_stances_need_a_relation(stance):
    with pytest.raises(InputError, match="needs an image relation"):
        compose_label(stance, None)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Support_Text", FactifyLabel.SUPPORT_TEXT),
        (" support_text ", FactifyLabel.SUPPORT_TEXT),
        ("support", Stance.SUPPORT),
        ("Insufficient", Stance.INSUFFICIENT),
        ("REFUTE", FactifyLabel.REFUTE),
    ],
)
def test_parse(text, label):
    assert parse_label(text) is label


def test_parse_names_what_it_knows():
    with pytest.raises(InputError, match=r"unknown label 'whatever'.*Support_Multimodal.*Refute"):
        parse_label("whatever")


def test_every_class_has_a_stance_of_the_map():
    assert {stance_of(x) for x in FACTIFY_LABELS} == set(STANCES)


def test_a_bare_refute_is_of_the_five_classes_only_where_another_label_is_and_its_row_has_images():
    refute, text = FactifyLabel.REFUTE, FactifyLabel.SUPPORT_TEXT
    stances = [Stance.SUPPORT, refute, None]
    for pairs in ([False] * 3, [True] * 3):
        assert five_class_labels(stances, pairs) == [None] * 3
    assert five_class_labels([refute, text], [False, False]) == [refute, text], "labels alone"
    assert five_class_labels([refute, refute, text], [False, True, True]) == [None, refute, text]
    assert five_class_labels([refute, text], [False, True]) == [None, text]
    assert five_class_labels([], []) == []
