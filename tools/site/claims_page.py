"""Which claims of chapters 4 and 5 of the thesis hold on the committed boards.

``python tools/site/claims_page.py`` writes docs/methods/claims.md from leaderboards/*/results.json; run it when a board
was measured again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.boards.board import Board, Row
from harness.boards.comparison.changes import Change
from harness.boards.comparison.judging import draft_of, judged
from harness.boards.evidence import Units
from harness.boards.stored import read_boards
from harness.runs.labels import Method
from harness.runs.results import Results

ROOT = Path(__file__).parents[2]
BOARDS = ("photographs", "covers", "rparis-subset", "quick-retrieval")
"""With a real network on photographs, and one of drawn objects."""

Wanted = tuple[str, Mapping[str, object]]
NONE: Wanted = ("", {})


@dataclass(frozen=True)
class Claim:
    """One claim: rows with the method against the same rows with the reference in its place.

    Attributes:
        text: what is claimed, as a heading.
        source: where.
        method: kind -> name and those parameters that count; "" is the row without a method of the kind.
        reference: of the same kinds.
        reason: why, where it does not hold; measured elsewhere in the documentation.
        memory: whether the bytes of an image are compared too.
    """

    text: str
    source: str
    method: Mapping[str, Wanted]
    reference: Mapping[str, Wanted]
    reason: str = ""
    memory: bool = False


_PRINTED: Mapping[str, object] = {"preset": "thesis"}
_RECOMMENDED: Mapping[str, object] = {"preset": "recommended"}
_PRINTED_DIFFUSION: Wanted = ("diffusion", {**_PRINTED, "k": "auto", "alpha": "auto"})
_DIFFUSION: Wanted = ("diffusion", _RECOMMENDED)
CLAIMS: Sequence[Claim] = (
    Claim(
        "OS.EGM is above GeM",
        "5.4, Table 5.1",
        {"pooling": ("os-egm", {})},
        {"pooling": ("gem", {})},
        "Regions pay where the object is small beside clutter. A cover fills most of its photograph, and a landmark most "
        "of its box: there is little to leave out. The thesis's gain is on INSTRE, whose objects are small.",
    ),
    Claim(
        "FS.EGM is above GeM",
        "5.4, Table 5.1",
        {"pooling": ("fs-egm", {})},
        {"pooling": ("gem", {})},
        "As for OS.EGM.",
    ),
    Claim(
        "Deep spatial matching is above no re-ranking, as recommended",
        "4.4, Table 4.2",
        {"reranking": ("dsm", _RECOMMENDED), "expansion": NONE},
        {"reranking": NONE, "expansion": NONE},
        "A third of the covers are turned by more than 60 degrees, which the model of the transform does not contain.",
    ),
    Claim(
        "Deep spatial matching is above no re-ranking, by plain inliers as printed",
        "4.4, Table 4.2",
        {"reranking": ("dsm", _PRINTED), "expansion": NONE},
        {"reranking": NONE, "expansion": NONE},
        "Counts of inliers alone override a good ranking: unrelated photographs have a dozen inliers too.",
    ),
    Claim(
        "Diffusion is above no expansion, with numbers that suit the size",
        "4.4.1, Table 4.1",
        {"reranking": NONE, "expansion": _DIFFUSION},
        {"reranking": NONE, "expansion": NONE},
        "A database with few relevant images of an object (three on the covers) leaves little to walk over. Without "
        "whitening neighbours are chosen by chance ([query expansion](../expansion.md)).",
    ),
    Claim(
        "Diffusion is above no expansion, with k = 50 and alpha = 0.99 as printed",
        "4.4.1, Table 4.1",
        {"reranking": NONE, "expansion": _PRINTED_DIFFUSION},
        {"reranking": NONE, "expansion": NONE},
        "These numbers are those of collections of thousands of images; of a few hundred they join all with all.",
    ),
    Claim(
        "Diffusion from verified images (DSM+D) is above plain diffusion (D)",
        "4.4, Table 4.2",
        {"reranking": ("dsm", _RECOMMENDED), "expansion": _DIFFUSION},
        {"reranking": NONE, "expansion": _DIFFUSION},
        "As for deep spatial matching: a seed that was verified wrongly is spread further.",
    ),
    Claim(
        "Diffusion from verified images (DSM+D) is above deep spatial matching alone",
        "4.4, Table 4.2",
        {"reranking": ("dsm", _RECOMMENDED), "expansion": _DIFFUSION},
        {"reranking": ("dsm", _RECOMMENDED), "expansion": NONE},
        "As for diffusion.",
    ),
    Claim(
        "One vector of OS.EGM keeps up with cross-matched regions (R-Match)",
        "5.4.3, Figure 5.10",
        {"pooling": ("os-egm", {}), "reranking": NONE, "expansion": NONE},
        {"pooling": ("gem", {}), "reranking": ("r-match", _RECOMMENDED), "expansion": NONE},
        "R-Match compares all regions of two images; the claim is one of memory, in the last column.",
        memory=True,
    ),
    Claim(
        "Whitening by principal components is above none, as recommended",
        "2.5",
        {"whitening": ("pca", {**_RECOMMENDED, "learn_on": None})},
        {"whitening": NONE},
        "Learnt on the database itself, whitening divides out what varies most. Where an object has a large share of "
        "the database, that is what tells objects apart: the part of Paris has five landmarks. Learnt on other photographs "
        "it does not.",
    ),
    Claim(
        "Whitening learnt on other photographs is above none",
        "2.5",
        {"whitening": ("pca", {**_RECOMMENDED, "learn_on": "photographs"})},
        {"whitening": NONE},
    ),
    Claim(
        "Whitening by principal components is above none, without shrinkage as printed",
        "2.5",
        {"whitening": ("pca", _PRINTED)},
        {"whitening": NONE},
        "With more dimensions than images all whitened descriptors are equally far from each other.",
    ),
)


@dataclass(frozen=True)
class Finding:
    """A claim on one pair of rows."""

    claim: Claim
    board: Board
    folder: str
    row: Row
    reference: Row
    change: Change = field(repr=False)

    @property
    def verdict(self) -> str:
        """``holds`` is a significant difference the claimed way."""
        if self.claim.memory and self.change.verdict != "worse":
            return "holds"
        return {"better": "holds", "worse": "does not hold"}.get(self.change.verdict, "inconclusive")


def findings(boards: Mapping[str, Sequence[Board]]) -> list[Finding]:
    """Every claim on every pair of rows that has it; the comparisons of a board are corrected together."""
    found = []
    for folder, several in boards.items():
        for board in several:
            pairs = [(claim, *pair) for claim in CLAIMS for pair in _pairs(claim, board)]
            drafts = [
                draft_of(board.metric, _units(board, reference, row), board.fingerprint) for _, row, reference in pairs
            ]
            changes = judged(drafts)
            found += [
                Finding(claim, board, folder, row, reference, change)
                for (claim, row, reference), change in zip(pairs, changes, strict=True)
            ]
    return found


def page(boards: Mapping[str, Sequence[Board]]) -> str:
    """The page as Markdown."""
    found = findings(boards)
    sections = (line for claim in CLAIMS for line in _section(claim, found))
    return "\n".join([*_head(boards), *_overview(found), *sections])


def committed_boards(root: Path) -> dict[str, list[Board]]:
    """The measured ones of ``BOARDS`` by folder."""
    found = {}
    for folder in BOARDS:
        file = root / "leaderboards" / folder / "results.json"
        if file.is_file():
            content = json.loads(file.read_text(encoding="utf-8"))
            found[folder] = read_boards(Results(folder, boards=tuple(content["boards"])))
    return found


def _pairs(claim: Claim, board: Board) -> Iterator[tuple[Row, Row]]:
    rows = [row for row in board.rows if row.methods is not None and row.units]
    for row in rows:
        if not _fits(row, claim.method):
            continue
        rest = _rest(row, claim)
        others = [other for other in rows if _fits(other, claim.reference) and _rest(other, claim) == rest]
        if len(others) == 1:
            yield row, others[0]


def _fits(row: Row, wanted: Mapping[str, Wanted]) -> bool:
    methods: Mapping[str, Method] = row.methods or {}
    for kind, (name, parameters) in wanted.items():
        method = methods.get(kind)
        if (method.name if method else "") != name:
            return False
        if method and any(method.parameters.get(key) != value for key, value in parameters.items()):
            return False
    return True


def _rest(row: Row, claim: Claim) -> str:
    kinds = {*claim.method, *claim.reference}
    methods: Mapping[str, Method] = row.methods or {}
    return json.dumps({k: [m.name, m.parameters] for k, m in methods.items() if k not in kinds}, sort_keys=True)


def _units(board: Board, reference: Row, row: Row) -> Units:
    values = {name: dict(zip(r.units, r.values, strict=True)) for name, r in (("reference", reference), ("row", row))}
    shared = frozenset({*row.units} & {*reference.units})
    return Units(values, shared, board.unit == "query", dict(enumerate(board.groups)))


def _head(boards: Mapping[str, Sequence[Board]]) -> Iterator[str]:
    missing = [name for name in BOARDS if name not in boards]
    yield "# Which claims of the thesis hold here\n"
    yield (
        "See which claims of chapters 4 and 5 hold on the committed boards. A claim is tested on each pair of rows that differ in "
        "nothing else, query by query. The difference is in points of the measure of the board, with its 95% interval: groups of "
        "queries are resampled whole. The p-value is that of joint sign flips of groups, corrected over all claims of a board.\n"
    )
    yield (
        "A claim *holds* where the difference is significant and as claimed. It *does not hold* where it is significant the other "
        "way. All else is *inconclusive*, which is no evidence against it.\n"
    )
    yield (
        "Parameters were chosen on other data. Where a board has part of these data, its rows are no independent evidence:\n\n"
        "- numbers of the expansions on photographs of other seeds ([query expansion](../studies/expansion.md)),\n"
        "- the order after verification on half of the covers ([DSM](../studies/dsm.md)),\n"
        "- directions of the whitening on photographs of another seed, its neighbours on the covers and the part of Paris "
        "([descriptors](../studies/descriptors.md)),\n"
        "- parameters of the EGM methods on drawn objects of other seeds.\n"
    )
    if missing:
        yield f"Not measured yet: {', '.join(missing)}.\n"


def _overview(found: Sequence[Finding]) -> Iterator[str]:
    yield "| claim | thesis | pairs of rows | holds | does not hold | inconclusive |\n| --- | --- | --- | --- | --- | --- |"
    for claim in CLAIMS:
        verdicts = [finding.verdict for finding in found if finding.claim is claim]
        counts = [str(verdicts.count(verdict)) for verdict in ("holds", "does not hold", "inconclusive")]
        yield f"| {claim.text} | {claim.source} | {len(verdicts)} | {' | '.join(counts)} |"
    yield ""


def _section(claim: Claim, found: Sequence[Finding]) -> Iterator[str]:
    own = [finding for finding in found if finding.claim is claim]
    yield f"## {claim.text}\n\nThesis {claim.source}. {_summary(own)}\n"
    if not own:
        return
    last = "bytes/image" if claim.memory else "p"
    yield f"| data | rows | reference | with it | difference | verdict | {last} |\n| --- | --- | --- | --- | --- | --- | --- |"
    yield from (_line(finding) for finding in own)
    if claim.reason and any(finding.verdict != "holds" for finding in own):
        yield f"\nWhy not everywhere: {claim.reason}"
    yield ""


def _summary(own: Sequence[Finding]) -> str:
    if not own:
        return "No committed board has both rows."
    counts = {verdict: sum(f.verdict == verdict for f in own) for verdict in ("holds", "does not hold", "inconclusive")}
    said = ", ".join(f"{verdict} in {count}" for verdict, count in counts.items() if count)
    return f"Of {len(own)} pair{'s' if len(own) > 1 else ''} of rows: {said}."


def _line(finding: Finding) -> str:
    change, board, claim = finding.change, finding.board, finding.claim
    scale = change.scale
    interval = ""
    if change.interval is not None:
        interval = f" ({scale * change.interval[0]:+.1f} to {scale * change.interval[1]:+.1f})"
    cells = [
        f"[{finding.folder}](../../leaderboards/{finding.folder}/README.md), {board.dataset}",
        _label(finding.row),
        _number(change.before, scale),
        _number(change.after, scale),
        "–" if change.difference is None else f"{scale * change.difference + 0.0:+.1f}{interval}",
        finding.verdict,
    ]
    p = "–" if change.p is None else f"{change.p:.3f}"
    if claim.memory:
        cells[4] += f", p {p}"
    cells.append(f"{_bytes(finding.row)} for {_bytes(finding.reference)}" if claim.memory else p)
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def _label(row: Row) -> str:
    """The methods of a row that are not the same on the whole board."""
    return " · ".join(value for value in row.labels.values() if value != "none")


def _number(value: float | None, scale: float) -> str:
    return "–" if value is None else f"{scale * value:.1f}"


def _bytes(row: Row) -> str:
    cell = row.cells.get("bytes_per_image")
    return "–" if cell is None else f"{cell.mean:,.0f}"


if __name__ == "__main__":
    target = ROOT / "docs" / "methods" / "claims.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text(page(committed_boards(ROOT)), encoding="utf-8")
    print(target)
