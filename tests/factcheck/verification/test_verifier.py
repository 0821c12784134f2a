import pyarrow as pa
import pytest

from factcheck import Claim, InputError, Verifier
from factcheck.labels import FACTIFY_LABELS, STANCES
from factcheck.records import verdict_schema
from factcheck.verification.rows import Variant

DOCUMENT = (
    "The city minister opened a park near the beach. Two dogs were running on the field.Three cars stood in the street. "
    "A report says the water is blue. The court did not say when the law starts. A boy sells bread in the park."
)


@pytest.fixture(scope="module")
def verifier(tiny_model):
    return Verifier.load(tiny_model)


@pytest.fixture(scope="module")
def table(photo):
    rows = [
        {
            "id": "pair",
            "claim": "Two dogs run",
            "document": DOCUMENT,
            "claim_image": photo(1),
            "document_image": photo(2),
        },
        {"id": "no photo", "claim": "The water is blue", "document": DOCUMENT},
        {"id": "one photo", "claim": "A boy sells bread", "document": DOCUMENT, "claim_image": photo(3)},
        {
            "id": "same photo",
            "claim": "no dog",
            "document": "A dog.",
            "claim_image": photo(4),
            "document_image": photo(4),
        },
        {
            "id": "broken photo",
            "claim": "a cat",
            "document": DOCUMENT,
            "claim_image": b"no",
            "document_image": photo(5),
        },
        {"id": "empty claim", "claim": "  ", "document": DOCUMENT},
        {"id": "no document", "claim": "The law starts", "document": None},
        {
            "id": "empty document",
            "claim": "The law starts",
            "document": " ",
            "claim_image": photo(1),
            "document_image": photo(6),
        },
        {"id": "long", "claim": "The park " * 200, "document": DOCUMENT * 60},
    ]
    images = {"claim_image": pa.binary(), "document_image": pa.binary()}
    names = ("id", "claim", "document")
    schema = pa.schema([*((n, pa.string()) for n in names), *images.items()])
    return pa.Table.from_pylist(rows, schema=schema)


@pytest.fixture(scope="module")
def verdicts(verifier, table):
    return verifier.verify_batch(table)


def by_id(table):
    return {row["id"]: row for row in table.to_pylist()}


def assert_rows_close(a, b):
    a, b = ({**row, "content_hash": None} for row in (a, b))  # it tells options apart, too
    assert {k: v for k, v in a.items() if isinstance(v, str | None | bool)} == {
        k: v for k, v in b.items() if isinstance(v, str | None | bool)
    }
    for name in ("confidence", "image_similarity"):
        assert (a[name] is None) == (b[name] is None)
        assert a[name] is None or a[name] == pytest.approx(b[name], abs=1e-5)
    for name in ("probabilities", "stance_probabilities"):
        assert a[name] == (None if b[name] is None else pytest.approx(b[name], abs=1e-5))
    assert [e["text"] for e in a["evidence"]] == [e["text"] for e in b["evidence"]]
    for x, y in zip(a["evidence"], b["evidence"], strict=True):
        assert x["score"] == pytest.approx(y["score"], abs=1e-4)
        assert x["attribution"] == (None if y["attribution"] is None else pytest.approx(y["attribution"], abs=2e-5))


def test_one_row_in_one_row_out_in_order(table, verdicts):
    assert verdicts.schema == verdict_schema()
    assert verdicts["id"].to_pylist() == table["id"].to_pylist()


def test_statuses_and_reasons(verdicts):
    rows = by_id(verdicts)
    assert {i: r["status"] for i, r in rows.items()} == {
        "pair": "ok",
        "no photo": "ok",
        "one photo": "ok",
        "same photo": "ok",
        "broken photo": "degraded",
        "empty claim": "error",
        "no document": "degraded",
        "empty document": "degraded",
        "long": "ok",
    }
    assert rows["broken photo"]["reason"].startswith("claim_image: ")
    assert rows["empty claim"]["reason"] == "claim: empty"
    assert rows["empty claim"]["label"] is None
    assert rows["no document"]["reason"] == "document: missing"


def test_labels_follow_the_photos(verdicts):
    rows = by_id(verdicts)
    for name in ("pair", "same photo", "empty document"):
        assert rows[name]["label"] in list(FACTIFY_LABELS)
        assert sum(rows[name]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert rows[name]["image_relation"] in ("agree", "differ")
    for name in ("no photo", "one photo", "broken photo"):
        assert rows[name]["label"] in ("Support", "Insufficient", "Refute")
        assert rows[name]["probabilities"] is None
        assert rows[name]["image_relation"] is None
        assert rows[name]["image_similarity"] is None
        assert max(rows[name]["stance_probabilities"].values()) == pytest.approx(rows[name]["confidence"])
    assert rows["same photo"]["image_similarity"] == pytest.approx(1, abs=1e-4)


def test_without_evidence_nothing_is_decided(verdicts):
    rows = by_id(verdicts)
    assert rows["no document"]["label"] == "Insufficient"
    assert rows["empty document"]["stance"] == "insufficient"
    assert rows["no document"]["evidence"] == []


def test_evidence_quotes_the_document(table, verdicts):
    documents = dict(zip(table["id"].to_pylist(), table["document"].to_pylist(), strict=True))
    seen = 0
    for row in verdicts.to_pylist():
        for item in row["evidence"]:
            assert documents[row["id"]][item["start"] : item["end"]] == item["text"]
            assert item["document_id"] == row["id"]
            assert -1 <= item["attribution"] <= 1
            seen += 1
        assert len(row["evidence"]) <= 3
        scores = [item["score"] for item in row["evidence"]]
        assert scores == sorted(scores, reverse=True)
    assert seen > 10


def test_a_row_does_not_depend_on_its_neighbours_or_the_order(verifier, table, verdicts):
    whole = by_id(verdicts)
    alone = [verifier.verify_batch(table.slice(i, 1)).to_pylist()[0] for i in range(table.num_rows)]
    for row in alone:
        assert_rows_close(row, whole[row["id"]])
    for row in verifier.verify_batch(table.take(list(range(table.num_rows))[::-1])).to_pylist():
        assert_rows_close(row, whole[row["id"]])


def test_nor_on_the_batch_size(tiny_model, table, verdicts):
    small = Verifier.load(tiny_model, batch_size=2).verify_batch(table)
    for row in small.to_pylist():
        assert_rows_close(row, by_id(verdicts)[row["id"]])


def test_attribution_is_the_drop_without_the_sentence(tiny_model):
    verifier = Verifier.load(tiny_model, top_k=2)
    document = ["A dog runs in the park.", "The water is blue."]
    whole = verifier.verify(Claim(claim="A dog runs", document=document))
    for item in whole.evidence:
        rest = [s for s in document if s != item.text]
        other = verifier.verify(Claim(claim="A dog runs", document=rest))
        expected = whole.confidence - other.stance_probabilities[whole.stance.value]
        assert item.attribution == pytest.approx(expected, abs=1e-5)


def test_verify_one_claim(verifier, photo):
    verdict = verifier.verify(
        Claim(claim="A dog runs", document=DOCUMENT, claim_image=photo(1), document_image=photo(1), id="x")
    )
    assert verdict.id == "x"
    assert verdict.label in list(FACTIFY_LABELS)
    assert verdict.stance in STANCES
    assert verdict.model == verifier.fingerprint
    assert verdict.evidence


def test_the_label_is_never_read(verifier, table, verdicts):
    labelled = table.append_column("label", pa.array(["Refute"] * table.num_rows))
    for row in verifier.verify_batch(labelled).to_pylist():
        assert_rows_close(row, by_id(verdicts)[row["id"]])


def test_abstention(tiny_model, table):
    strict = Verifier.load(tiny_model, abstain_below=1.0, attribution=False).verify_batch(table)
    rows = by_id(strict)
    assert rows["pair"]["abstained"]
    assert rows["pair"]["label"] is not None
    assert rows["pair"]["evidence"][0]["attribution"] is None
    free = Verifier.load(tiny_model, abstain_below=0.0, attribution=False).verify_batch(table)
    assert not by_id(free)["pair"]["abstained"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"top_k": 0}, "top_k"), ({"batch_size": 0}, "batch_size"), ({"abstain_below": 1.5}, "abstain_below")],
)
def test_options_out_of_range(tiny_model, options, message):
    with pytest.raises(InputError, match=message):
        Verifier.load(tiny_model, **options)


def test_a_table_without_claims(verifier):
    with pytest.raises(InputError, match="claim"):
        verifier.verify_batch(pa.table({"text": ["x"]}))


class Library:
    """Evidence source with two documents, one younger than the claim."""

    def search(self, queries, *, top_k, filters=None):
        from retrieval import Hit

        hits = [Hit("old", 0, 0, 6, "A dog.", 0.9, None), Hit("new", 0, 0, 7, "No dog.", 0.8, None)]
        self.filters = filters
        return [hits[:1] if filters else hits for _ in queries]


def test_claims_without_a_document_are_checked_against_the_evidence_source(tiny_model):
    library = Library()
    verifier = Verifier.load(tiny_model, evidence=library)
    assert [e.document_id for e in verifier.verify(Claim(claim="A dog")).evidence] == ["old", "new"]
    dated = verifier.verify(Claim(claim="A dog", date="2024-05-01"))
    assert [e.document_id for e in dated.evidence] == ["old"]
    assert library.filters == {"date_before": "2024-05-01"}
    own = verifier.verify(Claim(claim="A dog", document="A cat sleeps.", id="own"))
    assert [e.document_id for e in own.evidence] == ["own"]


def test_photo_attribution_is_the_drop_of_the_stance_without_the_photo(verifier, tiny_model, table):
    whole = by_id(Verifier.load(tiny_model, photo_attribution=True, attribution=False).verify_batch(table))
    for side in ("claim_image", "document_image"):
        without = by_id(
            verifier.verify_batch(
                table.set_column(table.column_names.index(side), side, pa.nulls(table.num_rows, pa.binary()))
            )
        )
        for name, row in whole.items():
            found = row["photo_attribution"]
            if name in ("empty claim", "no document", "empty document"):
                assert found is None
            elif (
                name == "pair"
                or name == "same photo"
                or (name, side) in (("one photo", "claim_image"), ("broken photo", "document_image"))
            ):
                stance = row["stance"]
                drop = row["stance_probabilities"][stance] - without[name]["stance_probabilities"][stance]
                assert found[side] == pytest.approx(drop, abs=1e-5)
            else:
                assert found[side] is None
    pair = whole["pair"]["photo_attribution"]
    assert pair["claim_image"] != pair["document_image"] != 0


def test_photo_attribution_changes_nothing_else_and_is_off_by_default(tiny_model, table, verdicts):
    assert verdicts["photo_attribution"].null_count == table.num_rows
    for row in Verifier.load(tiny_model, photo_attribution=True).verify_batch(table).to_pylist():
        assert_rows_close({**row, "photo_attribution": None}, by_id(verdicts)[row["id"]])


def test_any_part_of_the_evidence_can_be_put_to_the_model(verifier, table, verdicts):
    seen = set()
    for decided in verifier.decided_rows(table):
        encoded = decided.encoded
        for i, row in enumerate(decided.rows):
            seen.add(row.number)
            (again,) = encoded.decide([Variant(i)])
            if decided.decisions[i].has_evidence:
                assert again.confidence == pytest.approx(decided.decisions[i].confidence, abs=1e-5)
                first, _ = encoded.decide([Variant(i, (0,)), Variant(i, ())])
                alone = Claim(claim=row.claim, document=[row.cleaned[0]])
                if row.source.has_images == (False, False):
                    expected = verifier.verify(alone).stance_probabilities
                    assert first.stance == pytest.approx(list(expected.values()), abs=1e-5)
    assert seen == {number for number, row in enumerate(verdicts.to_pylist()) if row["status"] != "error"}
