"""Wrong plugins: each is an honest method with one thing wrong, registered under the rule that it breaks.

``rule`` or ``rule: what is wrong`` is the name; where several are wrong in different ways the text tells them apart.
"""

from __future__ import annotations

import importlib
import pkgutil

from harness import hookimpl
from saboteurs.making import SABOTEURS

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")


@hookimpl
def harness_register(registry):
    for kind, name, cls, check in SABOTEURS:
        getattr(registry, kind)(name, cls, check=check)
