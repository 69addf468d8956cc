"""The page in a real browser, from the file system: sorting, filtering, tabs, pictures, colours, and no network."""

from __future__ import annotations

import functools
import json
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import page_records as made
import pytest
from PIL import Image

import harness

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install -e '.[dev]')")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium with chromedriver: apt-get install chromium chromium-driver"
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1280,900"
).split()


@pytest.fixture(scope="module")
def site(tmp_path_factory, toy):
    """Two boards of made-up records; the retrieval board is of twelve plain images of the toy plugin."""
    folder = tmp_path_factory.mktemp("site")
    records = [made.on_toy_images(r) if r.task == "retrieval" else r for r in made.some()]
    harness.write_page(records, folder / "site", galleries=2, plugins=(toy,), cache=folder / "cache")
    return folder / "site"


@pytest.fixture(scope="module")
def toy(request):
    return str(request.config.rootpath / "tests" / "fixtures" / "toy.py")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium, site):
    """Opens a page of the site afresh; afterwards nothing may have been complained of, nor asked of a network."""
    prefer(chromium, "light")
    chromium.get("about:blank")
    _asked(chromium), chromium.get_log("browser")

    def opened(name="index.html"):
        chromium.get("about:blank")
        chromium.get(f"{site.as_uri()}/{name}")
        return chromium

    yield opened
    assert chromium.get_log("browser") == []
    asked = _asked(chromium)
    assert asked
    assert all(address.startswith((site.as_uri(), "data:", "about:")) for address in asked), asked


def _asked(driver):
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def prefer(driver, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def css(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def names(driver, board):
    return driver.execute_script(
        "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].filter(r => r.offsetParent)"
        ".map(r => r.querySelector('th').textContent)",
        board,
    )


def heading(driver, board, title):
    return driver.find_element(By.XPATH, f"//*[@id='{board}']//th[contains(., '{title}')]")


RETRIEVAL = "board-synthetic-instances"
BEST = ["gem p=4", "gem p=3", "crow", "gem p=2", "rmac", made.HOSTILE, "spoc", "mac", "fs-egm", "os-egm"]


def test_sorting_by_mouse(page):
    driver = page(f"index.html#{RETRIEVAL}")
    assert names(driver, RETRIEVAL) == BEST
    medium = heading(driver, RETRIEVAL, "mAP Medium")
    medium.find_element(By.TAG_NAME, "button").click()
    assert medium.get_attribute("aria-sort") == "descending"
    assert names(driver, RETRIEVAL) == BEST
    medium.find_element(By.TAG_NAME, "button").click()
    assert medium.get_attribute("aria-sort") == "ascending"
    # What has no number stays last either way.
    assert names(driver, RETRIEVAL)[:2] == ["mac", "spoc"]
    assert names(driver, RETRIEVAL)[-2:] == ["fs-egm", "os-egm"]
    assert len(driver.find_elements(By.CSS_SELECTOR, f"#{RETRIEVAL} [aria-sort]")) == 1


def test_sorting_by_keyboard(page):
    driver = page(f"index.html#{RETRIEVAL}")
    pooling = heading(driver, RETRIEVAL, "pooling")
    pooling.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert names(driver, RETRIEVAL)[1:5] == ["crow", "fs-egm", "gem p=2", "gem p=3"]
    css(driver, f"#{RETRIEVAL} [type=checkbox]").send_keys(Keys.SPACE)
    query = heading(driver, RETRIEVAL, "ms/query")
    query.find_element(By.TAG_NAME, "button").send_keys(Keys.SPACE)
    assert query.get_attribute("aria-sort") == "ascending"  # of a cost the least is the best
    assert names(driver, RETRIEVAL)[0] == "mac"


def test_filtering(page):
    driver = page(f"index.html#{RETRIEVAL}")
    box = css(driver, f"#{RETRIEVAL} input")
    box.send_keys("GEM p=")
    assert names(driver, RETRIEVAL) == ["gem p=4", "gem p=3", "gem p=2"]
    assert css(driver, f"#{RETRIEVAL} output").text == "3 of 10 rows"
    box.send_keys(" nothing")
    assert names(driver, RETRIEVAL) == []
    box.send_keys(Keys.CONTROL, "a", Keys.DELETE)
    box.send_keys("failed")
    assert names(driver, RETRIEVAL) == ["os-egm"]


def test_costs_are_folded_away_until_they_are_asked_for(page):
    driver = page(f"index.html#{RETRIEVAL}")
    query = heading(driver, RETRIEVAL, "ms/query")
    assert not query.is_displayed()
    assert heading(driver, RETRIEVAL, "mAP Hard").is_displayed()
    box = css(driver, f"#{RETRIEVAL} [type=checkbox]")
    box.send_keys(Keys.SPACE)
    assert query.is_displayed()
    box.click()
    assert not query.is_displayed()


def shown(driver):
    panels = driver.find_elements(By.CSS_SELECTOR, ".panel")
    return [panel.get_attribute("id") for panel in panels if panel.is_displayed()]


def test_tabs_by_mouse(page):
    driver = page()
    assert shown(driver) == ["board-digits"]
    css(driver, f"#tab-{RETRIEVAL}").click()
    assert shown(driver) == [RETRIEVAL]
    assert css(driver, f"#tab-{RETRIEVAL}").get_attribute("aria-selected") == "true"
    assert driver.current_url.endswith(f"#{RETRIEVAL}")


def test_tabs_by_keyboard(page):
    driver = page()
    css(driver, "#tab-board-digits").send_keys(Keys.ARROW_RIGHT)
    assert shown(driver) == [RETRIEVAL]
    for key, expected in (
        (Keys.ARROW_LEFT, "board-digits"),
        (Keys.ARROW_LEFT, "methods"),
        (Keys.HOME, "board-digits"),
        (Keys.END, "methods"),
    ):
        driver.switch_to.active_element.send_keys(key)
        assert shown(driver) == [expected]
        assert driver.switch_to.active_element.get_attribute("id") == f"tab-{expected}"
    stops = [tab.get_attribute("tabindex") for tab in driver.find_elements(By.CSS_SELECTOR, "[role=tab]")]
    assert stops == ["-1", "-1", "0"]


def test_everything_is_reached_with_the_tab_key(page):
    driver = page()
    css(driver, "body").send_keys(Keys.TAB)
    reached = []
    while (element := driver.switch_to.active_element).tag_name != "body":
        reached.append(element.get_attribute("id") or element.get_attribute("role") or element.tag_name)
        outline = element.value_of_css_property("outline-style")
        assert outline != "none" or "skip" in element.get_attribute("class"), reached
        element.send_keys(Keys.TAB)
    assert reached[:6] == ["a", "theme", "tab-board-digits", "input", "input", "region"]
    assert set(reached[6:]) >= {"button", "a"}


def test_a_link_to_a_method_opens_its_tab(page):
    driver = page("index.html#method-pooling-gem")
    assert shown(driver) == ["methods"]
    assert css(driver, "#method-pooling-gem").is_displayed()


def test_from_a_row_to_its_runs_to_the_record_and_back(page):
    driver = page()
    driver.find_element(By.LINK_TEXT, "coreset").click()
    assert css(driver, "h1").text == "coreset"
    assert len(driver.find_elements(By.CSS_SELECTOR, "tr[id^=run-]")) == 6
    css(driver, "tr[id^=run-] a").click()
    assert json.loads(css(driver, "pre").text)["methods"]["acquisition"]["name"] == "coreset"
    driver.back()
    css(driver, ".back a").click()
    assert shown(driver) == ["board-digits"]


def test_a_hostile_name_is_text(page):
    driver = page(f"index.html#{RETRIEVAL}")
    link = driver.find_element(By.LINK_TEXT, made.HOSTILE)
    assert not _dialog(driver)
    link.click()
    assert css(driver, "h1").text == made.HOSTILE
    assert made.HOSTILE in driver.title
    assert not _dialog(driver)


def _dialog(driver):
    from selenium.common.exceptions import NoAlertPresentException

    try:
        return driver.switch_to.alert.text
    except NoAlertPresentException:
        return ""


def test_the_policy_stops_a_script_that_should_come_in(chromium, site):
    chromium.get((site / "index.html").as_uri())
    chromium.execute_script("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    chromium.execute_async_script("setTimeout(arguments[0], 100)")
    assert chromium.execute_script("return window.ran") is None
    assert any("Content Security Policy" in entry["message"] for entry in chromium.get_log("browser"))


def test_the_gallery_frames_the_results(page):
    driver = page(f"index.html#{RETRIEVAL}")
    first = css(driver, f"#{RETRIEVAL} details.gallery")
    kinds = [item.get_attribute("class") for item in first.find_elements(By.CSS_SELECTOR, "li")][:3]
    assert kinds == ["positive", "negative", "negative"]
    styles = {
        item.get_attribute("class"): item.find_element(By.TAG_NAME, "img").value_of_css_property("border-top-style")
        for item in first.find_elements(By.CSS_SELECTOR, "li")
    }
    assert styles == {"positive": "solid", "negative": "dashed"}
    loaded = "return [...arguments[0].querySelectorAll('img')].every(i => i.decode && i.complete && i.naturalWidth > 0)"
    driver.execute_async_script(
        "Promise.all([...arguments[0].querySelectorAll('img')].map(i => (i.loading = 'eager', i.decode())))"
        ".then(arguments[1])",
        first,
    )
    assert driver.execute_script(loaded, first)
    css(driver, f"#{RETRIEVAL}-query-2 summary").send_keys(Keys.ENTER)
    assert css(driver, f"#{RETRIEVAL}-query-2 li").is_displayed()


def test_pictures_of_the_boards_are_drawn(page):
    driver = page()
    for image in driver.find_elements(By.CSS_SELECTOR, "#board-digits figure img"):
        assert image.get_property("naturalWidth") > 100
        assert image.get_attribute("alt").endswith(": digits")


def colours(driver):
    body = css(driver, "body")
    return [
        sum(map(int, body.value_of_css_property(name)[5:-1].split(",")[:3])) for name in ("background-color", "color")
    ]


def test_light_and_dark(page):
    driver = page()
    paper, ink = colours(driver)
    assert paper > 700 > 200 > ink
    prefer(driver, "dark")
    paper, ink = colours(driver)
    assert ink > 600 > 100 > paper
    css(driver, "#theme").click()  # against what the system prefers
    assert css(driver, "#theme").text == "Dark"
    assert colours(driver)[0] > 700
    page("index.html#methods")
    assert colours(driver)[0] > 700  # and it is kept
    driver.execute_script("localStorage.clear()")


def test_a_phone_shows_the_page_without_scrolling_sideways(page, tmp_path):
    driver = page(f"index.html#{RETRIEVAL}")
    try:
        size = {"width": 375, "height": 700, "deviceScaleFactor": 1, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 375
        driver.save_screenshot(str(tmp_path / "phone.png"))
        with Image.open(tmp_path / "phone.png") as picture:
            assert picture.width == 375
        assert driver.find_element(By.LINK_TEXT, "gem p=4").is_displayed()
        strips = driver.find_elements(By.CSS_SELECTOR, f"#{RETRIEVAL} .strip")
        assert {strip.get_attribute("tabindex") for strip in strips} == {"0"}
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_without_scripts_everything_is_shown(page):
    chromium = page()
    try:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        page()
        assert len(shown(chromium)) == 3
    finally:
        chromium.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_a_static_host_serves_it_as_well(chromium, site):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    chromium.get_log("browser")
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium.get(f"http://127.0.0.1:{server.server_port}/index.html#{RETRIEVAL}")
        image = css(chromium, f"#{RETRIEVAL} details.gallery li img")
        chromium.execute_async_script("arguments[0].decode().then(arguments[1])", image)
        assert image.get_property("naturalWidth") == 48
        chromium.find_element(By.LINK_TEXT, "gem p=4").click()
        assert css(chromium, "h1").text == "gem p=4"
        chromium.get("about:blank")
        server.shutdown()
    assert chromium.get_log("browser") == []
