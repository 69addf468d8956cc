"""Opens the built site in a browser, from its folder: ``python tools/site/check_pages.py site [PAGE ...]``.

Prints, at 390 and 1280 pixels, what is cut off without a way to scroll to it, and which page each search finds first.
Exit code 1: something is cut, or a search finds another page first. Needs Chromium and its driver (``tools/browser.sh``).
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

WIDTHS: Final = (390, 1280)
SEARCHES: Final = {
    "install": "start/installation.html",
    "mAP": "project/glossary.html",
    "seeds": "how-to/seeds.html",
    "descriptors": "how-to/descriptors.html",
    "cite": "project/cite.html",
    "glossary": "project/glossary.html",
}
"""What is searched for, and the page that should be found first."""

_CUT: Final = """
const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX)
const cut = []
for (const element of document.querySelectorAll("article :is(table, pre, code, math, img, svg, p, li)")) {
  const box = element.getBoundingClientRect()
  if (!box.width || getComputedStyle(element).visibility === "hidden") continue
  let parent = element
  while (parent && parent !== document.body && !scrolls(parent)) parent = parent.parentElement
  if (parent && parent !== document.body) continue
  if (box.right > innerWidth + 1 || box.left < -1) cut.push(element.tagName + " " + element.textContent.slice(0, 40).trim())
}
if (document.scrollingElement.scrollWidth > innerWidth + 1) cut.push("the page itself is wider than the window")
return cut
"""


def browser() -> Any:
    """A browser without a window. Raises ``RuntimeError`` where there is none."""
    from selenium import webdriver

    names = ("chromium", "chromium-browser", "google-chrome")
    program, driver = next(filter(None, map(shutil.which, names)), None), shutil.which("chromedriver")
    if not program or not driver:
        raise RuntimeError("no Chromium with its driver: tools/browser.sh installs them")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def cut(window: Any, site: Path, pages: Sequence[str], width: int) -> Iterator[tuple[str, str]]:
    """Page and element of everything that cannot be reached by scrolling."""
    size = {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": False}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for page in pages:
        window.get((site / page).as_uri())
        yield from ((page, element) for element in window.execute_script(_CUT))


def first_found(window: Any, site: Path, words: str, patience: float = 20.0) -> str:
    """The page that a search finds first; empty where it finds none in time."""
    from selenium.webdriver.common.by import By

    window.get((site / "index.html").as_uri() + f"?q={words}")
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = window.find_elements(By.CSS_SELECTOR, ".md-search-result__item a")
        if found:
            address = str(found[0].get_attribute("href"))
            return address.removeprefix(site.as_uri() + "/").partition("?")[0].partition("#")[0]
        time.sleep(0.2)
    return ""


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong."""
    site = Path(arguments[0]).resolve()
    pages = arguments[1:] or sorted(page.relative_to(site).as_posix() for page in site.rglob("*.html"))
    window = browser()
    try:
        wrong = 0
        for width in WIDTHS:
            elements = list(cut(window, site, pages, width))
            wrong += len(elements)
            print(f"{width} pixels: {len(pages)} pages, {len(elements)} elements are cut")
            print("".join(f"  {page}: {element}\n" for page, element in elements), end="")
        for words, page in SEARCHES.items():
            found = first_found(window, site, words)
            wrong += found != page
            print(f"search {words}: {found}{'' if found == page else f', not {page}'}")
    finally:
        window.quit()
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
