"""The page of the catalogue, from ``datasets.yaml``."""

from __future__ import annotations

from collections.abc import Iterator

from harness.data.catalogue import catalogue

_SHOWN = ("protocol", "source", "licence", "citation", "homepage", "note")


def text() -> str:
    """Every dataset that a spec can name without parameters."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "# Datasets of the catalogue\n\nWhat a spec names as `datasets: [NAME]`; `harness datasets NAME` shows all of it."
    for task, title in (("retrieval", "Retrieval"), ("active-learning", "Active learning")):
        yield f"\n## {title}\n"
        for name, entry in catalogue().items():
            if entry.task != task:
                continue
            counts = ", ".join(f"{count:,} {what}" for what, count in entry.counts.items())
            yield f"### {name}\n\n{entry.description}.{f' Checked: {counts}.' if counts else ''}\n"
            values = {key: str(getattr(entry, key) or "") for key in _SHOWN}
            yield "| | |\n| --- | --- |"
            yield f"| loader | [{entry.loader}](../methods/dataset/{entry.loader}.md) |"
            for key, value in values.items():
                if value:
                    yield f"| {key} | {' '.join(value.split()).replace('|', '/')} |"
            yield ""
