"""Search, graphs and clustering on the device and on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from facts import Fact, Setting, points

from harness.core.devices import computing


def search(setting: Setting) -> Iterator[Fact]:
    """Exact search and neighbours: the same bytes as on the CPU, whatever precision a user has chosen."""
    from harness.graph import neighbours
    from harness.search import top_k

    n, k = setting.size(20_000, 2_000), setting.size(50, 20)
    x = points(n, 128)[0]
    cpu, there = (lambda: neighbours(x, k, device="cpu")), (lambda: neighbours(x, k, device=setting.device))
    cpu()
    slow, expected = setting.once(cpu)
    found = there()
    same = np.array_equal(expected.indices, found.indices) and np.array_equal(expected.similarities, found.similarities)
    yield Fact(f"neighbours of {n} x 128 are the CPU's, to the last bit", same, same)
    yield Fact("neighbours: CPU seconds / device seconds", slow / setting.seconds(there))
    torch.set_float32_matmul_precision("high")
    try:
        rough = np.array_equal(expected.indices, there().indices)
    finally:
        torch.set_float32_matmul_precision("highest")
    yield Fact("and so where a user allows TF32", rough, rough)
    n, d = setting.size(200_000, 2_000), setting.size(512, 64)
    rng = np.random.default_rng(0)
    base, queries = rng.standard_normal((n, d), dtype=np.float32), rng.standard_normal((70, d), dtype=np.float32)
    slow, best = setting.once(lambda: top_k(queries, base, 100, device="cpu"))
    fast, again = setting.once(lambda: top_k(queries, base, 100, device=setting.device))
    same = np.array_equal(best.indices, again.indices)
    yield Fact(f"search of 70 in {n} x {d} is the CPU's", same, same)
    yield Fact("search: CPU seconds / device seconds, moving the database included", slow / fast)


def graph(setting: Setting) -> Iterator[Fact]:
    """Solves and label propagation: equal up to rounding, the same twice."""
    from harness.graph import affinity, normalise, propagate, solve

    n, m = setting.size(20_000, 1_000), setting.size(50, 8)
    x, labels = points(n, 64)
    s = normalise(affinity(x, k=30, gamma=3, mode="union"))
    for dtype, most in ((np.float32, 1e-4), (np.float64, 1e-5)):
        b = np.random.default_rng(0).random((n, m)).astype(dtype)
        solve(s, b[:, :2], device="cpu")
        slow, (expected, _) = setting.once(lambda b=b: solve(s, b, device="cpu"))
        (found, report), (again, _) = solve(s, b, device=setting.device), solve(s, b, device=setting.device)
        name, apart = np.dtype(dtype).name, float((np.abs(found - expected).max(0) / np.abs(expected).max(0)).max())
        yield Fact(f"solve {name}: relative difference to the CPU", apart, apart < most)
        yield Fact(f"solve {name}: converged", report.all_converged, report.all_converged)
        yield Fact(f"solve {name}: the same twice", bool((found == again).all()), bool((found == again).all()))
        fast = setting.seconds(lambda b=b: solve(s, b, device=setting.device), 1)
        yield Fact(f"solve {name}: CPU seconds / device seconds", slow / fast)
    known = np.where(np.arange(n) < 100, labels, -1)
    one, two = (propagate(s, known, 10, device=device).labels for device in ("cpu", setting.device))
    yield Fact("propagated labels that agree", float((one == two).mean()), bool((one == two).mean() > 0.999))


def clustering(setting: Setting) -> Iterator[Fact]:
    """k-means and lists of faiss, on the card where the installed faiss can."""
    from harness.graph import neighbours
    from harness.search import k_means
    from harness.search.faiss_library import faiss_library, installed, mistake, on_gpu

    with computing(setting.device):
        where = "the card" if on_gpu(faiss_library()) else "the CPU"
    yield Fact("faiss", f"{', '.join(installed())}, on {where}", not mistake())
    x = points(setting.size(20_000, 1_000), 64)[0]
    slow, (_, expected) = setting.once(lambda: k_means(x, 10, 0, 20))
    lists = neighbours(x, 10, method="ivf").indices
    with computing(setting.device):
        fast, (_, found) = setting.once(lambda: k_means(x, 10, 0, 20))
        there = neighbours(x, 10, method="ivf").indices
    alike, near = float((expected == found).mean()), float((lists == there).mean())
    yield Fact("clusters that agree with the CPU's", alike, alike > 0.99)
    yield Fact("k-means: CPU seconds / device seconds", slow / fast)
    yield Fact("neighbours by lists that agree with the CPU's", near, near > 0.999)
