"""The report in a browser: it filters, opens cases, follows links, makes no request and lets no text become markup."""

import io
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from factcheck.cli import main
from factcheck.evaluation.report import write_report
from factcheck.evaluation.report.page import asset, content_policy
from factcheck.labels import FACTIFY_LABELS, STANCES
from factcheck.records import verdict_schema

FIVE = [label.value for label in FACTIFY_LABELS]
HOSTILE = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">'
# What one row knows of its photos.
OF_PHOTOS = {
    "photo_evidence": [
        {"document_id": "d7", "photo": "a.jpg", "text": f"A harbour. {HOSTILE}", "date": "2019-03-02", "score": 0.93}
    ],
    "photo_context": {
        "claim_image": [{"kind": "taken", "value": "2014-07-01"}, {"kind": "edited with", "value": HOSTILE}],
        "document_image": None,
    },
    "photo_attribution": {"claim_image": 0.25, "document_image": -0.05},
    "ocr": {"claim": {"source": "read", "text": "FLOOD WARNING"}, "document": {"source": "given", "text": None}},
}


def picture(seed):
    sink = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    Image.fromarray(noise).resize((400, 300)).save(sink, "PNG")
    return sink.getvalue()


def verdict(i, label, confidence):
    stance = label.split("_")[0].lower()
    sentence = f"Sentence {i} was written in 1998."
    return {
        **{"id": f"r{i}", "label": label, "stance": stance, "image_relation": "agree", "confidence": confidence},
        **{"abstained": confidence < 0.6, "status": "ok", "model": "abc123def456", "image_similarity": 0.25},
        "probabilities": {name: confidence if name == label else (1 - confidence) / 4 for name in FIVE},
        "stance_probabilities": {s.value: confidence if s == stance else (1 - confidence) / 2 for s in STANCES},
        "evidence": [
            {
                "document_id": f"r{i}",
                "sentence": 1,
                "start": 10,
                "end": 10 + len(sentence),
                "text": sentence,
                "score": 0.9,
                "attribution": 0.4,
            }
        ],
        "differences": [
            {
                "kind": "date",
                "relation": "conflicting",
                "claim_start": 2,
                "claim_end": 6,
                "claim_value": "1999",
                "sentence": 1,
            }
            | {"start": sentence.index("1998"), "end": sentence.index("1998") + 4, "value": "1998"}
        ],
        "explanation": "The claim says 1999, the evidence 1998.",
        **(OF_PHOTOS if i == 2 else {}),
    }


def tables(rows, *, labels=True):
    truth = []
    for i in range(rows):
        document = f"🐕🐕 First. Sentence {i} was written in 1998. {HOSTILE}"
        row = {
            "id": f"r{i}",
            "claim": f"🟥 1999 is claim {i} {HOSTILE}",
            "document": document,
            "source": f"source {i % 3}",
        }
        row |= {"label": ["Refute", "Support_Multimodal"][i % 2]} if labels else {}
        truth.append(
            row | {"claim_image": picture(0) if i < 40 else None, "document_image": picture(i % 3) if i < 40 else None}
        )
    verdicts = [verdict(i, "Refute" if i % 4 else "Support_Multimodal", 0.5 + 0.49 * (i / rows)) for i in range(rows)]
    return pa.Table.from_pylist(verdicts, schema=verdict_schema()), pa.Table.from_pylist(truth)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_report(tmp_path_factory.mktemp("report") / "r.html", *tables(120))


@pytest.fixture
def look(browser, page):
    """Opens the page at an anchor and waits until a condition holds; gives its value."""
    from selenium.webdriver.support.ui import WebDriverWait

    def at(anchor="", width=1280, file=page):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get("about:blank")
        browser.get(Path(file).as_uri() + anchor)

    def wait(script):
        return WebDriverWait(browser, 30).until(lambda b: b.execute_script(f"return {script}"))

    at.wait, at.run = wait, lambda script, *values: browser.execute_script(script, *values)
    at.log = lambda: [line for line in browser.get_log("browser") if "favicon" not in line["message"]]
    return at


OPEN = "document.querySelector('#case .claim-text')?.textContent"


def test_the_first_screen_and_the_first_case(look):
    look()
    assert look.wait(OPEN).startswith("🟥 1999")
    figures = look.run("return [...document.querySelectorAll('.figure .name')].map(x => x.textContent)")
    assert figures == ["Weighted F1", "Stance accuracy", "Calibration error", "Coverage at 90% precision", "Withheld"]
    assert "model abc123def456" in look.run("return document.querySelector('.lead').textContent")
    assert look.run("return document.querySelectorAll('.advice li').length") >= 2
    assert look.run("return location.hash") == "", "looking changes no address"
    assert look.log() == [], "nothing that the content policy refuses"
    assert look.run("return performance.getEntriesByType('resource').length") == 0


def test_filter_open_a_case_and_read_it(look):
    look()
    look.wait(OPEN)
    look.run(
        "const s = document.getElementById('facet-outcome'); s.value = 'wrong'; s.dispatchEvent(new Event('change'))"
    )
    assert look.wait("document.getElementById('count').textContent") == "90 of 120 cases"
    look.run("const q = document.getElementById('q'); q.value = 'claim 12 '; q.dispatchEvent(new Event('input'))")
    assert look.wait("document.getElementById('count').textContent") == "1 of 120 cases"
    look.run("document.querySelector('#rows button').click()")
    assert "claim 12 " in look.wait(f"({OPEN} || '').includes('claim 12 ') && {OPEN}")
    case = "document.querySelector('#case')"
    assert look.run(f"return {case}.querySelector('mark').textContent") == (
        "1Sentence 12 was written in 1998 (date, in conflict: claim “1999”, evidence “1998”)."
    )
    assert look.run(f"return {case}.querySelector('.claim-text .diff').firstChild.textContent") == "1999"
    assert (
        look.run(f"return {case}.querySelector('.explanation').textContent")
        == "The claim says 1999, the evidence 1998."
    )
    numbers = look.run(f"return [...{case}.querySelectorAll('.bars .number')].map(x => x.textContent)")
    confidence = 0.5 + 0.49 * 12 / 120
    assert numbers[FIVE.index("Support_Multimodal")] == f"{100 * confidence:.1f}%"
    assert "✗ wrong, gold: Refute" in look.run(f"return {case}.textContent")
    look.wait(f"[...{case}.querySelectorAll('img')].every(x => x.complete && x.naturalWidth === 360)")
    assert look.run(f"return {case}.querySelectorAll('img').length") == 2
    told = look.run(f"return {case}.textContent")
    assert "The model takes them for the same photo (similarity 0.25, cosine of the two embeddings)." in told


def test_photos_are_part_of_the_verdict_only_where_the_label_has_them(look):
    chip = "document.querySelector('#case .chip').textContent"
    for row, said in (("r4", "Supported, same photo"), ("r5", "Refuted")):
        look(f"#case={row}")
        look.wait(f"({OPEN} || '').includes('claim {row[1:]} ')")
        assert look.run(f"return {chip}") == said


def test_withheld_verdicts_are_marked_in_the_list(look):
    count = "[...document.querySelectorAll('#rows button')].map(x => x.querySelectorAll('.withheld').length)"
    look("#withheld=withheld")
    look.wait(OPEN)
    held = sum(0.5 + 0.49 * (i / 120) < 0.6 for i in range(120))
    assert look.run(f"return {count}") == [1] * held
    look("#withheld=given")
    look.wait(OPEN)
    assert set(look.run(f"return {count}")) == {0}


def test_texts_never_become_markup(look, page):
    look("#case=r1")
    look.wait(OPEN)
    assert HOSTILE in look.run(f"return {OPEN}")
    assert look.run(
        "return window.hacked === undefined && document.querySelectorAll('#case script, #rows img').length === 0"
    )
    assert "window.hacked = 1<" not in page.read_text("utf-8")  # a bare "<" may end the script that holds the data


def test_what_is_known_of_photos_is_shown(look):
    look("#case=r2")
    look.wait(OPEN)
    assert (
        look.run("return [...document.querySelectorAll('#case h3')].map(x => x.textContent)").count("Photo found again")
        == 1
    )
    captions = look.run("return [...document.querySelectorAll('#case figcaption')].map(x => x.innerText)")
    assert "attribution +0.25" in captions[0]
    assert "Text in the image: FLOOD WARNING" in captions[0]  # read, so that the claims table has no such text
    assert "taken: 2014-07-01" in captions[0]
    assert f"edited with: {HOSTILE}" in captions[0]
    assert "attribution −0.05" in captions[1].replace("-", "−")
    found = look.run("return document.querySelector('#case ol:not(.evidence-list)').innerText")
    assert found == f"d7, 2019-03-02: A harbour. {HOSTILE} (similarity 0.93)"
    assert look.run("return window.hacked === undefined && document.querySelectorAll('#case script').length === 0")
    look("#case=r3")
    look.wait(f"({OPEN} || '').includes('claim 3 ')")
    assert "Photo found again" not in look.run("return document.getElementById('case').textContent")


def test_links_lead_to_filters_and_cases_and_keys_walk_through_them(look):
    look("#gold=Refute&outcome=wrong&case=r20")
    assert "claim 20 " in look.wait(OPEN)
    assert look.run("return document.getElementById('facet-gold').value") == "Refute"
    assert look.run("return document.getElementById('where').textContent").startswith("Case r20, ")
    look.run("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'j' }))")
    second = look.wait(f"!({OPEN} || '').includes('claim 20 ') && {OPEN}")
    assert look.wait("!location.hash.includes('r20') && location.hash").startswith("#gold=Refute&outcome=wrong&case=r")
    look.run("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'k' }))")
    assert look.wait(f"({OPEN} || '').includes('claim 20 ') && {OPEN}") != second
    look("#source=source+1")
    assert look.wait("document.getElementById('count').textContent") == "40 of 120 cases"


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_cut_off(look, width):
    look("#case=r3", width)
    look.wait(OPEN)
    assert look.run("return document.documentElement.scrollWidth") <= width
    assert look.run("const n = document.querySelector('.top nav'); return n.scrollWidth <= n.clientWidth")
    # Nothing reaches out of its box, but tables, which scroll in theirs.
    out = look.run(
        "return [...document.querySelectorAll('main *')].filter(x => x.getBoundingClientRect().right > innerWidth + 1 && "
        "!x.closest('.scroll') && !x.closest('.visually-hidden') && x.getClientRects().length).map(x => x.outerHTML.slice(0, 90))"
    )
    assert out == []


def test_tables_are_whole_on_a_desktop_and_on_paper(look, browser):
    """Boxes side by side leave their tables room; print, which cannot scroll, has every column."""
    cut = (
        "return [...document.querySelectorAll('.scroll')].filter(x => x.scrollWidth > x.clientWidth + 1).map(x => x.textContent.trim()"
        ".slice(0, 60))"
    )
    look("", 1280)
    look.wait(OPEN)
    assert look.run(cut) == []
    look("", 690)  # of A4 at 96 dots an inch, what margins leave
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        look.wait("document.querySelector('table') !== null")
        assert look.run(cut) == []
        assert look.run("return document.documentElement.scrollWidth") <= 690
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_words_of_the_differences_are_not_broken_on_a_phone(look):
    look("#case=r3", 390)
    look.wait(OPEN)
    heights = look.run(
        "return [...document.querySelectorAll('.differences th')].map(x => [x.textContent, x.getBoundingClientRect().height])"
    )
    assert heights
    assert all(height < 40 for _, height in heights), heights


def test_on_a_phone_a_case_covers_the_list_and_goes_back(look):
    look("", 390)
    look.wait("document.querySelector('#rows button') !== null")
    assert look.run("return getComputedStyle(document.getElementById('detail')).display") == "none"
    look.run("document.querySelector('#rows button').click()")
    look.wait(OPEN)
    assert look.run("return getComputedStyle(document.querySelector('.list')).display") == "none"
    look.run("document.getElementById('back').click()")
    assert look.run("return getComputedStyle(document.querySelector('.list')).display") == "flex"


def test_every_control_has_a_name_and_every_image_a_text(look):
    look("#case=r1")
    look.wait(OPEN)
    nameless = look.run(
        "return [...document.querySelectorAll('button, select, input, a, img, svg[role=img]')].filter(x => !(x.textContent.trim() || "
        "x.getAttribute('aria-label') || x.alt || (x.labels && x.labels.length))).map(x => x.outerHTML.slice(0, 90))"
    )
    assert nameless == []
    # A heading never skips a level.
    levels = look.run("return [...document.querySelectorAll('h1, h2, h3, h4')].map(x => Number(x.tagName[1]))")
    assert all(b - a <= 1 for a, b in pairwise(levels))


@pytest.mark.slow
def test_ten_thousand_cases(look, tmp_path):
    verdicts, truth = tables(10_000)
    large = write_report(tmp_path / "large.html", verdicts, truth)
    assert large.stat().st_size < 15 * 2**20
    look("#case=r9999", file=large)
    assert "claim 9999 " in look.wait(OPEN)
    look.run(
        "const s = document.getElementById('facet-gold'); s.value = 'Refute'; s.dispatchEvent(new Event('change'))"
    )
    assert look.wait("document.getElementById('count').textContent") == "5,000 of 10,000 cases"


def test_without_gold_labels_and_without_claims(tmp_path):
    verdicts, truth = tables(12, labels=False)
    unlabelled = write_report(tmp_path / "u.html", verdicts, truth).read_text("utf-8")
    assert "no gold labels" in unlabelled
    assert "Mean confidence" in unlabelled
    assert 'id="classes"' not in unlabelled
    bare = write_report(tmp_path / "b.html", verdicts).read_text("utf-8")
    assert "12 verdicts, no gold labels" in bare
    assert "claim 3" not in bare


def test_no_rows_and_no_evidence(tmp_path):
    verdicts, truth = tables(4)
    empty = write_report(tmp_path / "e.html", verdicts.slice(0, 0), truth.slice(0, 0)).read_text("utf-8")
    assert "0 verdicts" in empty
    place = verdicts.column_names.index("evidence")
    bare = verdicts.set_column(
        place, verdicts.schema.field(place), pa.array([[]] * 4, verdicts.schema.field(place).type)
    )
    assert 'id="confidence"' not in write_report(tmp_path / "n.html", bare, truth).read_text("utf-8")


def test_the_policy_names_the_script_and_the_style_of_the_page(page):
    text = page.read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text).group(1).replace("&#39;", "'")
    assert policy == content_policy(asset("case.css", "report.css"), asset("case.js", "report.js"))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r'\s(?:style|on[a-z]+)="', re.sub(r"<script.*?</script>", "", text, flags=re.S)), (
        "no attribute that it refuses"
    )
    assert not re.search(r'(?:src|href)="(?!#|data:)', text), "nothing from elsewhere"


def test_the_command(tmp_path, capsys):
    verdicts, truth = tables(6)
    pq.write_table(verdicts, tmp_path / "v.parquet")
    pq.write_table(truth, tmp_path / "t.parquet")
    arguments = ["report", str(tmp_path / "v.parquet"), "--truth", str(tmp_path / "t.parquet"), "--out"]
    assert main([*arguments, str(tmp_path / "r.html"), "--title", "Six <claims>", "--max-photos", "2"]) == 0
    text = (tmp_path / "r.html").read_text("utf-8")
    assert '<h1 id="title">Six &lt;claims&gt;</h1>' in text
    assert text.count("data:image/webp") == 2
    assert "photos were left out to keep the page small" in text
    assert main([*arguments, str(tmp_path / "v.parquet")]) == 2
    assert "--out" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "gone.parquet"), "--out", str(tmp_path / "r.html")]) == 2
    assert "gone.parquet" in capsys.readouterr().err
