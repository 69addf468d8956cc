"""Templates to HTML: everything is escaped, scripts and styles stand in the page and nothing else may run.

jinja2 is imported when a page is written.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.site.folder import MARK

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """One page. ``values`` are texts and view objects; none of them is trusted."""
    return _environment().get_template(template).render(**values)


def macro(name: str, *values: Any) -> str:
    """A part of a page: what this macro of the templates makes of values, none of which is trusted."""
    return str(getattr(_environment().get_template("macros.html.jinja").module, name)(*values))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    script, style = _read("page.js"), _read("page.css")
    environment.globals |= {"script": script, "style": style, "policy": _policy(script, style), "mark": _trusted(MARK)}
    environment.filters |= {"code": _code, "data_uri": _data_uri}
    return environment


def _read(name: str) -> Markup:
    return _trusted((_TEMPLATES / name).read_text(encoding="utf-8"))


def _trusted(text: str) -> Markup:
    """Our own text, which is not escaped."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def _policy(script: str, style: str) -> str:
    """What a browser may load: this script, this style, pictures of the page's own folder."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data: 'self' file:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _code(text: str) -> Markup:
    """Escaped text; what is between backticks is code."""
    from markupsafe import Markup, escape

    parts = text.split("`")
    if len(parts) % 2 == 0:  # a backtick without a partner
        return escape(text)
    return Markup().join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def _data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
