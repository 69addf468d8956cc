"""The solver against dense float64 solves."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.graph import Solver, affinity, normalise, solve


def graph(seed: int, n: int, *, k: int = 5, isolated: int = 0, mode: str = "reciprocal") -> sp.csr_array:
    """Clusters, duplicates, negative similarities, rows of zeros (isolated points)."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, n // 20), 6))
    x = centres[rng.integers(len(centres), size=n)] + 0.4 * rng.standard_normal((n, 6))
    x[rng.integers(n, size=n // 10)] = x[0]
    x[rng.integers(n, size=isolated)] = 0
    return normalise(affinity(x, k, mode=mode).astype(np.float64))


def dense(s, b, alpha):
    return np.linalg.solve(np.eye(s.shape[0]) - alpha * s.toarray().astype(np.float64), np.asarray(b, np.float64))


def relative(a, b):
    return np.linalg.norm(a - b, axis=0) / np.maximum(np.linalg.norm(b, axis=0), 1e-300)


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.integers(1, 150),
    st.integers(1, 80),
    st.integers(0, 12),
    st.integers(0, 20),
    st.sampled_from([0.0, 0.5, 0.99]),
    st.sampled_from(["reciprocal", "union"]),
)
def test_solution_equals_a_dense_solve(seed, n, k, m, isolated, alpha, mode):
    s = graph(seed, n, k=k, isolated=isolated, mode=mode)
    b = np.random.default_rng(seed).random((n, m))
    b[:, : m // 4] = 0
    x, report = solve(s, b, alpha, tol=1e-12)
    assert x.dtype == np.float64
    assert report.all_converged
    assert relative(x, dense(s, b, alpha)).max(initial=0) < 1e-9
    assert (x[:, : m // 4] == 0).all()
    assert (report.iterations[: m // 4] == 0).all()


@pytest.mark.parametrize("n", [400, 2000])
def test_large_graph_scores_and_rankings(n):
    s = graph(n, n, k=12, isolated=n // 50)
    b = np.zeros((n, 70))
    rng = np.random.default_rng(0)
    b[rng.integers(n, size=(5, 70)), np.arange(70)] = rng.random((5, 70))
    x, report = solve(s, b, tol=1e-12)
    truth = dense(s, b, 0.99)
    assert report.all_converged
    assert relative(x, truth).max() < 1e-9
    gaps = 1e-9 * truth.max()
    for column, exact in zip(x.T, truth.T, strict=True):  # equal rankings, up to scores that are equal
        ranked = exact[np.argsort(-column, kind="stable")]
        assert (np.diff(ranked) <= gaps).all()


def test_one_right_hand_side_keeps_its_shape():
    s = graph(1, 60)
    b = np.arange(60.0)
    x, report = solve(s, b, tol=1e-10)
    assert x.shape == (60,)
    assert report.iterations.shape == report.residuals.shape == report.converged.shape == (1,)
    assert relative(x, dense(s, b, 0.99)) < 1e-8


def test_float32_is_solved_in_float32_to_what_rounding_allows():
    s = graph(2, 800, k=10)
    b = np.random.default_rng(0).standard_normal((800, 9)).astype(np.float32)
    x, report = solve(s, b)
    assert x.dtype == np.float32
    assert report.dtype == "float32"
    assert report.all_converged
    assert relative(x, dense(s, b, 0.99)).max() < 1e-4


def test_reported_residuals_are_true():
    s = graph(3, 300)
    b = np.random.default_rng(0).random((300, 5))
    x, report = solve(s, b, tol=1e-7)
    residual = np.linalg.norm(b - x + 0.99 * (s @ x), axis=0) / np.linalg.norm(b, axis=0)
    np.testing.assert_allclose(report.residuals, residual, rtol=1e-6)
    assert (residual <= 1e-7).all()


def test_columns_end_on_their_own():
    s = graph(4, 500, k=6, isolated=20)
    b = np.random.default_rng(0).random((500, 20))
    b[:, 3] = 0
    b[:, 5] = 0
    b[np.flatnonzero(s.sum(axis=1) == 0)[0], 5] = 1  # an isolated point: one iteration
    x, report = solve(s, b)
    alone = [solve(s, column)[1].iterations[0] for column in b.T]
    assert report.iterations.tolist() == alone
    assert (report.iterations[3], report.iterations[5]) == (0, 1)


def test_cap_and_its_record():
    s = graph(5, 500, k=6)
    b = np.random.default_rng(0).random((500, 3))
    _, report = solve(s, b, tol=1e-12, max_iter=2)
    assert report.iterations.tolist() == [2, 2, 2]
    assert not report.converged.any()
    assert not report.all_converged
    assert (report.residuals > 1e-12).all()
    x, none = solve(s, b, max_iter=0)
    assert (x == 0).all()
    assert none.residuals.tolist() == [1, 1, 1]


def test_warm_start_saves_iterations():
    s = graph(6, 500, k=6)
    b = np.random.default_rng(0).random((500, 12))
    x, cold = solve(s, b, tol=1e-8)
    again, warm = solve(s, b, tol=1e-8, x0=x)
    assert warm.iterations.max() == 0
    np.testing.assert_array_equal(again, x)
    near, some = solve(s, b, tol=1e-8, x0=x + 1e-4)
    assert some.iterations.max() < cold.iterations.max()
    assert relative(near, x).max() < 1e-5
    b[:, 0] = 0
    assert (solve(s, b, x0=np.ones_like(b))[0][:, 0] == 0).all()


def test_solver_is_the_same_in_any_order_and_repeats_bytes():
    s = graph(7, 3000, k=8)
    b = np.random.default_rng(0).random((3000, 70))
    plain, _ = Solver(s, reorder=False).solve(b, tol=1e-12)
    solver = Solver(s, reorder=True)
    first, second = solver.solve(b, tol=1e-12)[0], solver.solve(b, tol=1e-12)[0]
    assert first.tobytes() == second.tobytes()
    assert relative(first, plain).max() < 1e-9


def test_number_of_threads_does_not_show(monkeypatch):
    s = graph(7, 3000, k=8)
    b = np.random.default_rng(0).random((3000, 40))
    results = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        results.append(solve(s, b)[0].tobytes())
    assert len(set(results)) == 1


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(2, 100))
def test_permuting_the_nodes_permutes_the_solution(seed, n):
    s = graph(seed, n)
    rng = np.random.default_rng(seed)
    order, b = rng.permutation(n), rng.random(n)
    x, _ = solve(s, b, tol=1e-12)
    moved, _ = solve(s[order][:, order], b[order], tol=1e-12)
    np.testing.assert_allclose(moved, x[order], rtol=1e-8, atol=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(2, 100))
def test_diffusion_of_a_sum_is_the_sum_of_diffusions(seed, n):
    s = graph(seed, n)
    a, b = np.random.default_rng(seed).standard_normal((2, n))
    x = solve(s, np.column_stack((a, b, a + b)), tol=1e-13)[0]
    np.testing.assert_allclose(x[:, 2], x[:, 0] + x[:, 1], atol=1e-9 * np.abs(x).max())


def test_a_component_without_source_stays_zero():
    blocks = sp.block_diag([graph(1, 40), graph(2, 50)], format="csr")
    b = np.zeros(90)
    b[3] = 1
    x, _ = solve(blocks, b, tol=1e-12)
    assert (x[40:] == 0).all()
    assert x[3] > 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_path_equals_scipy(dtype):
    s = graph(8, 700, k=9, isolated=10)
    b = np.random.default_rng(0).random((700, 12)).astype(dtype)
    b[:, 2] = 0
    x, report = solve(s, b)
    y, other = Solver(s, dtype=dtype, device="cpu:0").solve(b)
    assert other.device == "cpu:0"
    assert other.all_converged
    assert y.dtype == dtype
    assert relative(y[:, [0, 1, 3]], x[:, [0, 1, 3]]).max() < 2e-5
    assert_same_top(x, y, 100)
    assert np.abs(other.iterations - report.iterations).max() <= 2


@pytest.mark.gpu
def test_cuda_equals_cpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    s = graph(9, 20000, k=30)
    b = np.random.default_rng(0).random((20000, 50)).astype(np.float32)
    x, y = solve(s, b)[0], solve(s, b, device="cuda")[0]
    assert relative(y, x).max() < 1e-4
    assert_same_top(x, y, 100)


def assert_same_top(x, y, k):
    """The k largest of each column of y are those of x, but for values that are equal within rounding."""
    for expected, found in zip(x.T, y.T, strict=True):
        within = 2 * np.abs(expected - found).max()
        assert expected[np.argsort(-found)[:k]].min() >= np.sort(expected)[-k] - within


def test_no_column_and_no_node():
    assert solve(graph(1, 20), np.zeros((20, 0)))[0].shape == (20, 0)
    assert solve(np.zeros((0, 0)), np.zeros((0, 2)))[0].shape == (0, 2)


@pytest.mark.parametrize(
    ("changes", "rhs"),
    [
        ({"alpha": 1.0}, np.ones(9)),
        ({"alpha": -0.1}, np.ones(9)),
        ({"tol": 0}, np.ones(9)),
        ({"max_iter": -1}, np.ones(9)),
        ({"x0": np.ones(8)}, np.ones(9)),
        ({"x0": np.ones((9, 1))}, np.ones(9)),
        ({}, np.ones(8)),
        ({}, np.ones((9, 1, 1))),
        ({}, np.full(9, np.nan)),
    ],
)
def test_bad_input_is_refused(changes, rhs):
    with pytest.raises(InvalidInput):
        solve(graph(1, 9), rhs, **changes)


def test_bad_matrix_is_refused():
    with pytest.raises(InvalidInput, match="symmetric"):
        solve(np.triu(np.ones((5, 5))), np.ones(5))
    with pytest.raises(InvalidInput, match="shape"):
        solve(np.ones((5, 4)), np.ones(5))
    with pytest.raises(InvalidInput, match="float32 or float64"):
        Solver(np.eye(3), dtype=np.int32)
