"""axe finds nothing serious on boards and the notebook of the site, in both colour schemes; a part of it is built."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="mkdocs is not installed (pip install -e '.[docs]')")
axe = pytest.importorskip("axe_core_python.base", reason="axe-core-python is not installed (pip install -e '.[dev]')")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install -e '.[dev]')")
CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium with chromedriver"),
]
PAGES = ("leaderboards/first-look/index.html", "leaderboards/index.html", "tutorials/notebook.html")
HOOKS = "from hooks import on_post_page\n"


@pytest.fixture(scope="module")
def built(tmp_path_factory, request):
    """The theme, styles and scripts of the site around a few of its pages; making all of them takes minutes."""
    root, folder = request.config.rootpath, tmp_path_factory.mktemp("site")
    sys.path.insert(0, str(root / "tools" / "site"))
    try:
        import board_pages
        import notebook_page

        boards = {name: text for name, text in board_pages.pages(root / "leaderboards").items() if _is_shown(name)}
        for name, content in {**boards, **notebook_page.pages(root / "docs")}.items():
            (folder / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "docs" / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    finally:
        sys.path.remove(str(root / "tools" / "site"))
    for part in ("stylesheets", "javascripts"):
        shutil.copytree(root / "docs" / part, folder / "docs" / part)
    (folder / "small_hooks.py").write_text(HOOKS)
    config = (root / "mkdocs.yml").read_text().partition("\nnav:")[0].replace("strict: true", "strict: false")
    config = re.sub(r"hooks:.*\n", "hooks: [small_hooks.py]\n", config)
    config = re.sub(r"plugins:\n(?:  .*\n)+", "plugins: [search]\n", config)
    (folder / "mkdocs.yml").write_text(re.sub(r"validation:\n(?:  .*\n)+", "", config))
    command = [sys.executable, "-m", "mkdocs", "build", "-q", "-f", str(folder / "mkdocs.yml")]
    environment = {
        "PYTHONPATH": f"{root / 'tools' / 'site'}:{root}",
        "NO_MKDOCS_2_WARNING": "1",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def _is_shown(name: str) -> bool:
    return name == "leaderboards/index.md" or name.startswith("leaderboards/first-look/")


def test_nothing_serious(built: Path, tmp_path: Path) -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        found = [
            problem for scheme in ("light", "dark") for name in PAGES for problem in _of(driver, built / name, scheme)
        ]
    finally:
        driver.quit()
    assert found == []


def _of(driver, page: Path, scheme: str) -> list[tuple[str, str, str, str]]:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.get(page.as_uri())
    driver.execute_script("localStorage.clear()")  # the theme keeps what it showed last
    driver.refresh()
    shown = driver.execute_script("return document.body.dataset.mdColorScheme")
    assert shown == {"light": "default", "dark": "slate"}[scheme]
    driver.execute_script(axe.AXE_SCRIPT)
    tags = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']"
    result = driver.execute_async_script(f"axe.run(document, {{runOnly: {tags}}}).then(arguments[0])")
    return [
        (page.name, scheme, rule["id"], str(rule["nodes"][0]["target"]))
        for rule in result["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
