"""Rows in languages that a model does not read are marked and abstain; English, names and short texts are not."""

import ast
import hashlib
import inspect
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from factcheck import Verifier
from factcheck.data import language, scripts
from factcheck.data.language import detect_language, detect_short
from factcheck.data.scripts import script_not_read
from factcheck.errors import InputError
from factcheck.verification import language as guard
from factcheck.verification.language import LanguageGuard

GERMAN = (
    "Finnland will die Pelzfarmen im Land verbieten.",
    "Die finnische Regierung verbietet Pelzfarmen ab dem Jahr 2030.",
)
ENGLISH = ("Finland will ban fur farms.", "The Finnish government bans fur farms from the year 2030.")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("de", GERMAN[1]),
        ("fr", "Le gouvernement finlandais interdira les élevages de fourrure."),
        ("es", "El gobierno finlandés prohibirá las granjas de pieles."),
        ("ru", "Правительство Финляндии запретит зверофермы."),
        ("zh", "芬兰政府将禁止毛皮养殖场。"),
        ("ar", "ستحظر الحكومة الفنلندية مزارع الفراء."),
        ("hi", "फिनलैंड सरकार फर फार्मों पर प्रतिबंध लगाएगी।"),
    ],
)
def test_other_languages_are_found(code, text):
    assert detect_language(text, ["en"]) == (code, True)


@pytest.mark.parametrize(
    "text",
    [
        *ENGLISH,
        "",
        "Ja.",
        "12.5 % 2024",
        "Cristiano Ronaldo dos Santos Aveiro",
        "Emmanuel Macron, Olaf Scholz und Pedro Sánchez",
        "Tour de France",
        "La La Land won six Golden Globes.",
        "C'est la vie is a song.",
        "“Guten Morgen, liebe Sorgen” was on television.",
    ],
)
def test_english_names_and_short_texts_raise_no_alarm(text):
    assert detect_language(text, ["en"])[1] is False


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("Cyrillic", "Путин умер."),
        ("Cyrillic", "МОСКВА ГОРИТ"),
        ("Greek", "Καλημέρα κόσμε"),
        ("CJK", "北京大火"),
        ("CJK", "GDP增长5%"),
        ("Hiragana", "ご飯"),
        ("Hangul", "대한민국 승리"),
        ("Arabic", "الطقس حار"),
        ("Hebrew", "שלום עולם"),
        ("Devanagari", "किताब अच्छी है"),
        ("Thai", "ฝนตก"),
        ("Georgian", "კარგი დღე"),
        ("Ethiopic", "አዲስ አበባ"),
    ],
)
def test_two_words_in_another_script_are_another_language(script, text):
    assert script_not_read(text, ["en"]) == script
    assert detect_language(text, ["en"])[1] is True
    assert detect_language(f"{text} 5% 🎉", ["de", "en"])[1] is True
    assert detect_language(text, [])[1] is False


@pytest.mark.parametrize(
    "text",
    [
        "Владимир Путин was born in 1952.",
        "“Москва” means Moscow.",
        "北京 fell.",
        "Mao Zedong (毛泽东)",
        "The Hagia Sophia (Ἁγία Σοφία) burned.",
        "The word “Спутник” means satellite.",
        "“Правда” means truth in Russian.",
        "α, β",
        "ΔΔG > 0",
        "ℵ0 < ℵ1",
        "5 µm",
        "𝐁𝐑𝐄𝐀𝐊𝐈𝐍𝐆 𝐧𝐞𝐰𝐬",
        "ＢＲＥＡＫＩＮＧ",
        "🎉🎉 😀",
    ],
)
def test_foreign_names_and_symbols_in_english_raise_no_alarm(text):
    assert script_not_read(text, ["en"]) is None
    assert detect_language(text, ["en"])[1] is False


def test_a_script_is_read_with_any_language_that_is_written_in_it():
    assert script_not_read("Путин умер.", ["en", "bg"]) is None
    assert script_not_read("東京", ["ja"]) is None
    assert script_not_read("ご飯を食べる", ["zh"]) == "Hiragana"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("es", "El puente abrió en 1932."),
        ("de", "Zwölf Hunde rennen."),
        ("fr", "Le pont est ouvert."),
        ("de", "Robert Hepburn wurde Pilot."),
        ("es", "En el verano de 1996."),
        ("vi", "Trận đấu đã"),
        *((None, text) for text in ("El Niño", "El Niño returned in 2015.", "São Paulo", "São Paulo won.", "Berlin")),
        *(
            (None, text)
            for text in ("Los Angeles Lakers won.", "Beyoncé sang.", "Les Misérables opened.", "Das Boot sank.")
        ),
        *(
            (None, text)
            for text in (
                "Møller sold Mærsk.",
                "Les Misérables ran long.",
                "Skarsgård stars in Cinderella.",
                "Schröder met Müller in Düsseldorf.",
                "Björk led Malmö.",
            )
        ),
    ],
)
def test_a_short_text_in_another_language_is_told_from_names(code, text):
    assert detect_language(text, ["en"])[1] is False
    assert detect_short([text], ["en"]) == code
    assert detect_short([text, text], ["en"]) == code
    assert detect_short([text], ["de"]) is None, "the small words are told from English ones"


def rows(verifier, *pairs):
    table = pa.Table.from_pylist([{"claim": claim, "document": document} for claim, document in pairs])
    return verifier.verify_batch(table).to_pylist()


def test_a_row_that_the_model_cannot_read_is_marked_and_abstains(tiny_model, tmp_path):
    folder = _reading(tiny_model, tmp_path, ["en"])
    verifier = Verifier.load(folder, attribution=False, abstain_below=0.0)
    german, mixed, english = rows(verifier, GERMAN, (ENGLISH[0], GERMAN[1]), ENGLISH)
    for row in (german, mixed):
        assert (row["language"], row["status"], row["abstained"]) == ("de", "degraded", True)
        assert row["reason"] == "language: de, the model reads en"
    assert (english["language"], english["status"], english["abstained"]) == ("en", "ok", False)
    spanish = ("El puente abrió en 1932.", "El puente abrió en 1937.")
    for row in rows(verifier, spanish, (spanish[0], ENGLISH[1])):
        assert (row["language"], row["status"], row["abstained"]) == ("es", "degraded", True)
    russian = "Путин умер."
    for row in rows(verifier, (russian, ENGLISH[1]), (ENGLISH[0], russian), (russian, None)):
        assert (row["language"], row["status"], row["abstained"]) == (None, "degraded", True)
        assert "language: unknown (Cyrillic script), the model reads en" in row["reason"]
    (names,) = rows(verifier, ("São Paulo won.", "São Paulo lost."))
    assert (names["language"], names["status"]) == (None, "ok")
    judged = Verifier.load(folder, attribution=False, abstain_below=0.0, any_language=True)
    (row,) = rows(judged, GERMAN)
    assert (row["language"], row["status"], row["abstained"]) == ("de", "degraded", False)
    assert row["stance_probabilities"] == pytest.approx(german["stance_probabilities"], abs=1e-5)


def test_a_model_that_names_no_languages_holds_nothing_back(tiny_model):
    (row,) = rows(Verifier.load(tiny_model, attribution=False, abstain_below=0.0), GERMAN)
    assert (row["language"], row["status"], row["abstained"]) == ("de", "ok", False)


def test_codes_are_checked():
    with pytest.raises(InputError, match="`languages` holds 'English'"):
        LanguageGuard(["English"])


def test_other_rules_make_another_run(tiny_model, tmp_path, monkeypatch):
    folder = _reading(tiny_model, tmp_path, ["en"])
    before = Verifier.load(folder).facts
    assert Verifier.load(folder).facts == before
    monkeypatch.setattr(guard, "RULES", language.RULES + 1)
    assert Verifier.load(folder).facts != before
    assert LanguageGuard(["en"]).fingerprint != LanguageGuard(["de"]).fingerprint


def test_rules_have_the_number_they_had():
    tree = ast.parse(inspect.getsource(language) + inspect.getsource(scripts))
    for node in ast.walk(tree):  # what a docstring says is no rule
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    tree.body = [node for node in tree.body if not ast.unparse(node).startswith("RULES = ")]
    rules = ast.unparse(tree)
    found = hashlib.sha256(rules.encode()).hexdigest()[:12]
    assert (language.RULES, found) == (5, "c21f42a52ea5"), (
        "rules by which languages are told have changed: raise RULES, by which resumed runs know it, and write both here"
    )


@pytest.mark.slow
def test_fewer_than_one_english_row_in_two_hundred_is_taken_for_another_language():
    if "FACTCHECK_DATA" not in os.environ:
        pytest.skip("needs claims-text/val.jsonl of the development data (set FACTCHECK_DATA)")
    path = Path(os.environ["FACTCHECK_DATA"]) / "claims-text" / "val.jsonl"
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()[:1000]]
    texts = [(row["claim"], " ".join(row["document"])) for row in found]
    alarms = [pair for pair in texts if any(detect_language(text, ["en"])[1] for text in pair)]
    alarms += [claim for claim, _ in texts if detect_short([" ".join(claim.split()[:4])], ["en"])]
    assert len(alarms) < len(texts) / 200, alarms


def _reading(model, tmp_path, languages):
    """A copy of a model folder that says which languages it reads."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in Path(model).iterdir():
        if path.name != "config.json":
            (folder / path.name).symlink_to(path)
    config = json.loads((Path(model) / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "languages": languages}))
    return folder
