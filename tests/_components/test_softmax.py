"""Multinomial logit algebra: the Newton step, the bound of Bohning, one optimum."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from moe_classic._components.softmax import (
    assemble,
    bohning_step,
    curvature_rows,
    moved_score,
    newton_step,
)
from moe_classic._data.blocks import Design


@pytest.fixture
def problem(rng):
    """A design, four classes that depend on it, weights."""
    x = rng.standard_normal((2, 160))
    logits = 1.5 * rng.standard_normal((4, 2)) @ x
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=0)
    return Design(np.vstack([x, np.ones(160)])), y, rng.uniform(0.2, 3.0, 160)


def probabilities(coef, design):
    eta = np.vstack([coef @ design.Z, np.zeros(design.Z.shape[1])])
    P = np.exp(eta - eta.max(axis=0))
    return P / P.sum(axis=0)


def sums(coef, design, y, w, *, bound):
    """Packed Grams and scores of all classes."""
    P = probabilities(coef, design)
    rows = w[None] if bound else curvature_rows(P, w)
    return design.grams(rows), design.scores(w * ((y == np.arange(4)[:, None]) - P))


def hessian(coef, design, w):
    """The information, directly from its definition, ((C - 1) q, (C - 1) q)."""
    P = probabilities(coef, design)[:-1]
    W = w * (P[:, None] * np.eye(3)[:, :, None] - P[:, None] * P[None])
    return np.einsum("abn,in,jn->aibj", W, design.Z, design.Z).reshape(9, 9)


def climb(design, y, w, pull, *, bound, times):
    coef = np.zeros((3, 3))
    step = bohning_step if bound else newton_step
    for _ in range(times):
        coef = coef + step(coef, *sums(coef, design, y, w, bound=bound), pull)
    return coef


def test_grams_of_class_pairs_assemble_to_the_full_hessian(problem, rng):
    design, y, w = problem
    coef = rng.standard_normal((3, 3))
    gram, _ = sums(coef, design, y, w, bound=False)
    np.testing.assert_allclose(assemble(gram, 3, 3), hessian(coef, design, w), rtol=1e-10)


@pytest.mark.parametrize("pull", [0.0, 7.0])
def test_newton_step_solves_the_full_system(problem, rng, pull):
    design, y, w = problem
    coef = 0.3 * rng.standard_normal((3, 3))
    gram, score = sums(coef, design, y, w, bound=False)
    centre = np.kron(np.eye(3) - 0.25, np.diag([pull, pull, 0.0]))
    H = hessian(coef, design, w) + centre
    g = score[:3].ravel() - centre @ coef.ravel()
    step = newton_step(coef, gram, score, pull)
    np.testing.assert_allclose(step.ravel(), np.linalg.solve(H, g), rtol=1e-9)


@pytest.mark.parametrize("pull", [0.0, 7.0])
def test_bohning_step_solves_the_bounding_system(problem, rng, pull):
    design, y, w = problem
    coef = 0.3 * rng.standard_normal((3, 3))
    gram, score = sums(coef, design, y, w, bound=True)
    Gram = np.einsum("n,in,jn->ij", w, design.Z, design.Z)
    centre = np.eye(3) - 0.25
    penalty = np.kron(centre, np.diag([pull, pull, 0.0]))
    # (I - 1 1' / C) / 2 in coordinates relative to the last class.
    B = np.kron(0.5 * centre, Gram) + penalty
    g = score[:3].ravel() - penalty @ coef.ravel()
    step = bohning_step(coef, gram, score, pull)
    np.testing.assert_allclose(step.ravel(), np.linalg.solve(B, g), rtol=1e-9)


def test_bound_is_above_the_hessian_everywhere(problem, rng):
    design, _, w = problem
    Gram = np.einsum("n,in,jn->ij", w, design.Z, design.Z)
    B = np.kron(0.5 * (np.eye(3) - 0.25), Gram)
    for size in (0.0, 1.0, 10.0):
        H = hessian(size * rng.standard_normal((3, 3)), design, w)
        assert np.linalg.eigvalsh(B - H).min() > -1e-10


@pytest.mark.parametrize(("bound", "times"), [(False, 10), (True, 400)])
def test_both_steps_lead_to_the_optimum_of_logistic_regression(problem, bound, times):
    design, y, w = problem
    alpha = 0.02
    coef = climb(design, y, w, alpha * w.sum(), bound=bound, times=times)
    model = LogisticRegression(C=1.0 / (alpha * w.sum()), tol=1e-12, solver="newton-cholesky")
    model.fit(design.Z[:-1].T, y, sample_weight=w)
    full = np.column_stack([model.coef_, model.intercept_])
    # Newton on one side, Newton or a linearly converging bound on the other.
    np.testing.assert_allclose(coef, full[:-1] - full[-1], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("bound", [False, True])
def test_moved_score_is_the_curvature_times_the_step(problem, rng, bound):
    design, y, w = problem
    coef, delta = rng.standard_normal((2, 3, 3))
    gram, _ = sums(coef, design, y, w, bound=bound)
    Gram = np.einsum("n,in,jn->ij", w, design.Z, design.Z)
    H = np.kron(0.5 * (np.eye(3) - 0.25), Gram) if bound else hessian(coef, design, w)
    moved = moved_score(gram, delta, bound=bound)
    np.testing.assert_allclose(moved[:3].ravel(), H @ delta.ravel(), rtol=1e-9)
    # Scores of all classes sum to zero.
    np.testing.assert_allclose(moved.sum(axis=0), 0.0, atol=1e-9)


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_curvature_rows_are_the_covariances_of_classes(rng, classes):
    P, mass = rng.dirichlet(np.ones(classes), 5).T, rng.uniform(size=5)
    m = classes - 1
    # One column, all ones: the Gram of row weights is these weights.
    rows = assemble(curvature_rows(P, mass).T[:, :, None], m, 1)
    expected = [w * (np.diag(p) - np.outer(p, p)) for p, w in zip(P[:m].T, mass, strict=True)]
    np.testing.assert_allclose(rows, expected, rtol=1e-13)
