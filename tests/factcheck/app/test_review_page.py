"""The review page in a browser: decisions by key, undo, trying a claim."""

import json

import pytest
from servers import running

from factcheck import Verifier
from factcheck.app.decisions import DecisionLog
from factcheck.app.queue import ReviewQueue
from factcheck.app.review import review_app
from factcheck.verification import verify_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(browser, tiny_model, factify_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    verifier = Verifier.load(tiny_model, attribution=False)
    verify_file(verifier, factify_folder / "val.csv", folder / "v.parquet")
    queue = ReviewQueue(folder / "v.parquet", factify_folder / "val.csv")
    log = DecisionLog(folder / "d.jsonl")
    with running(review_app(queue, log, token="t", verify=verifier.verify_batch)) as url:
        yield f"{url}/t/", log, queue


def test_a_reviewer_decides_takes_back_and_tries(browser, served):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    url, log, _ = served
    wait = WebDriverWait(browser, 60)

    def text(selector: str) -> str:
        # By script, in one step: the page may redraw between finding an element and reading it.
        return browser.execute_script("return (document.querySelector(arguments[0]) || {}).innerText || ''", selector)

    def press(keys: str) -> None:
        browser.find_element(By.TAG_NAME, "body").send_keys(keys)

    browser.get(f"{url}?reviewer=ann")
    wait.until(lambda _: "ROW" in text("#case").upper())
    first = text("#case h2")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#case img")) == 2
    assert browser.execute_script(
        "return [...document.images].every((image) => image.complete && image.naturalWidth > 0)"
    )
    press("r")  # with a pair of photos the stance alone is not yet the decision
    assert browser.find_element(By.CSS_SELECTOR, "[data-stance=refute]").get_attribute("aria-pressed") == "true"
    assert log.current() == {}
    press("d")
    press(Keys.ENTER)
    wait.until(lambda _: text("#case h2") != first and "1 of 10 by you" in text("#count"))
    (decision,) = log.current().values()
    assert (decision.reviewer, decision.stance, decision.image_relation) == ("ann", "refute", "differ")
    press("u")
    wait.until(lambda _: text("#case h2") == first and "0 of 10 by you" in text("#count"))
    assert log.current() == {}
    press("j")
    wait.until(lambda _: text("#case h2") != first)
    press(Keys.ENTER)
    wait.until(lambda _: "Choose what the evidence says" in text("#message"))
    browser.find_element(By.ID, "show-try").click()
    browser.find_element(By.ID, "try-claim").send_keys("<b>A dog</b> runs")
    browser.find_element(By.ID, "try-document").send_keys("A dog runs in the park.")
    browser.find_element(By.CSS_SELECTOR, "#try button").click()
    wait.until(lambda _: "EVIDENCE" in text("#try-result").upper())
    assert "<b>A dog</b> runs" in text("#try-result")  # as text, not as markup
    problems = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert problems == []


def test_texts_of_a_table_never_become_markup(browser, tiny_model, tmp_path):
    from selenium.webdriver.support.ui import WebDriverWait

    hostile = '</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">'
    rows = [
        {"id": hostile, "claim": f"A dog runs. {hostile}", "document": [f"A dog runs {hostile} in the park.", hostile]}
    ]
    claims = tmp_path / "claims.jsonl"
    claims.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    verifier = Verifier.load(tiny_model, attribution=False)
    verify_file(verifier, claims, tmp_path / "v.parquet")
    queue, log = ReviewQueue(tmp_path / "v.parquet", claims), DecisionLog(tmp_path / "d.jsonl")
    with running(review_app(queue, log, token="t", verify=verifier.verify_batch)) as url:
        browser.get(f"{url}/t/?reviewer=%3Cimg%20src%3Dx%20onerror%3D%22window.hacked%3D3%22%3E")
        WebDriverWait(browser, 60).until(
            lambda _: browser.execute_script("return !!document.querySelector('#case .case')")
        )
        shown = browser.execute_script("return document.getElementById('case').textContent")
        assert shown.count(hostile) >= 3
        assert browser.execute_script(
            "return window.hacked === undefined && !document.querySelector('#case script, img[src=x]')"
        )


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_off(browser, served, width):
    from selenium.webdriver.support.ui import WebDriverWait

    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(f"{served[0]}?reviewer=ben")
    WebDriverWait(browser, 60).until(lambda _: browser.execute_script("return !!document.querySelector('#case .case')"))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
