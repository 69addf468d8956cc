"""axe finds nothing serious on the page, in both colour schemes; what stands in no rule of axe is checked beside it."""

# ruff: noqa: F811

from __future__ import annotations

from html.parser import HTMLParser

import page_records as made
import pytest
from test_page_in_chromium import RETRIEVAL, chromium, css, page, prefer, site, toy  # noqa: F401  # fixtures

import harness

axe = pytest.importorskip("axe_core_python.base", reason="axe-core-python is not installed (pip install -e '.[dev]')")
SERIOUS = ("serious", "critical")


def findings(driver):
    driver.execute_script(axe.AXE_SCRIPT)
    tags = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']"
    found = driver.execute_async_script(
        f"axe.run(document, {{runOnly: {tags}, resultTypes: ['violations']}}).then(arguments[0])"
    )
    return [
        (rule["id"], rule["impact"], node["target"], node["failureSummary"])
        for rule in found["violations"]
        for node in rule["nodes"]
        if rule["impact"] in SERIOUS
    ]


def test_axe_would_find_something(page):
    driver = page()
    driver.execute_script(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<input><img src=\\'data:,\\'>')"
    )
    assert {found[0] for found in findings(driver)} >= {"label", "image-alt"}


SEEN = [(RETRIEVAL, "light"), (RETRIEVAL, "dark")]
"""`make test-all` looks at the others."""
ALL = [(name, scheme) for name in ("board-digits", RETRIEVAL, "methods", "a method") for scheme in ("light", "dark")]


@pytest.mark.parametrize(
    ("name", "scheme"), [pytest.param(*one, marks=[] if one in SEEN else [pytest.mark.slow]) for one in ALL]
)
def test_axe_finds_nothing_serious(name, scheme, page, site):
    method = f"methods/{sorted((site / 'methods').iterdir())[0].name}"
    driver = page(method if name == "a method" else f"index.html#{name}")
    prefer(driver, scheme)
    for element in driver.find_elements("css selector", "details"):
        driver.execute_script("arguments[0].open = true", element)
    assert findings(driver) == []


@pytest.mark.slow
def test_axe_finds_nothing_serious_on_a_phone(page):
    driver = page(f"index.html#{RETRIEVAL}")
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert findings(driver) == []
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


class Outline(HTMLParser):
    """Levels of headings, pictures without a text, cells of headers without a scope."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in ("h1", "h2", "h3", "h4"):
            self.levels.append(int(tag[1]))
        if (tag == "img" and not given.get("alt")) or (tag == "th" and not given.get("scope")):
            self.wrong.append(self.get_starttag_text())


def outline(text):
    parser = Outline()
    parser.feed(text)
    return parser


def test_headings_pictures_and_tables_are_in_order(site):
    for file in [site / "index.html", *sorted((site / "methods").iterdir())[:2]]:
        found = outline(file.read_text())
        assert found.wrong == [], file.name
        assert found.levels[0] == 1, file.name
        assert all(later - earlier <= 1 for earlier, later in zip(found.levels, found.levels[1:], strict=False))


def test_boards_as_html_are_in_order_too():
    found = outline(harness.leaderboard(made.some(), format="html", title="Boards"))
    assert found.wrong == []
    assert found.levels[:2] == [1, 2]


@pytest.mark.slow
def test_axe_finds_nothing_serious_on_boards_as_html(chromium, tmp_path):
    (tmp_path / "board.html").write_text(harness.leaderboard(made.some(), format="html", title="Boards"))
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        for scheme in ("light", "dark"):
            prefer(chromium, scheme)
            chromium.get((tmp_path / "board.html").as_uri())
            assert findings(chromium) == []
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.get_log("browser")


def test_a_link_to_a_row_opens_its_board_and_marks_it(page):
    driver = page()
    row = driver.execute_script(
        "return [...document.querySelectorAll('tr[id]')].find(r => r.textContent.includes('gem p=3')).id"
    )
    assert row == f"{RETRIEVAL}-gem-p-3"
    page(f"index.html#{row}")
    assert css(driver, f"#{row}").is_displayed()
    assert css(driver, f"#{row} .permalink").get_attribute("href").endswith(f"#{row}")
    assert css(driver, f"#{row} td").value_of_css_property("box-shadow") != "none"


def test_a_link_to_a_query_opens_it(page):
    driver = page(f"index.html#{RETRIEVAL}-query-2")
    assert css(driver, f"#{RETRIEVAL}-query-2").get_attribute("open")
    assert css(driver, f"#{RETRIEVAL}-query-2 li").is_displayed()


def test_two_methods_are_compared_on_a_query(page):
    driver = page(f"index.html#{RETRIEVAL}")
    one, other = driver.find_elements("css selector", f"#{RETRIEVAL} .compare select")
    assert not other.is_enabled()

    def shown():
        answers = driver.find_elements("css selector", f"#{RETRIEVAL}-query-1 .answers")
        return [a.find_element("tag name", "a").text for a in answers if a.is_displayed()]

    assert len(shown()) == 5
    one.send_keys("mac")
    other.send_keys("crow")
    assert sorted(shown()) == ["crow", "mac"]
    notes = [note.text for note in driver.find_elements("css selector", f"#{RETRIEVAL}-query-1 .other")]
    assert notes
    assert all(note.startswith("other: ") for note in notes)
    one.send_keys("the best")
    assert len(shown()) == 5


def test_a_slash_leads_to_the_filter(page):
    driver = page(f"index.html#{RETRIEVAL}")
    css(driver, "body").send_keys("/")
    assert driver.switch_to.active_element.get_attribute("type") == "search"


def test_all_boards_are_printed_light_and_whole(page):
    driver = page()
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    try:
        assert all(panel.is_displayed() for panel in driver.find_elements("css selector", ".panel"))
        assert css(driver, "body").value_of_css_property("background-color") in (
            "rgb(255, 255, 255)",
            "rgba(255, 255, 255, 1)",
        )
        assert not any(one.is_displayed() for one in driver.find_elements("css selector", ".tools, .tabs, #theme"))
        driver.execute_script("dispatchEvent(new Event('beforeprint'))")
        assert not driver.find_elements("css selector", "details:not([open])")
        driver.execute_script("dispatchEvent(new Event('afterprint'))")
        assert len(driver.find_elements("css selector", "details.gallery:not([open])")) == 1
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
