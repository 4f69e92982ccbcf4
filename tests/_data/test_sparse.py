"""Rows that are mostly zeros: their form, their products, what tells them apart."""

import numpy as np
import pytest
from scipy import sparse

from moe_classic._data import sparse as _sparse
from moe_classic._data.sparse import (
    SparseDesign,
    SparseRows,
    as_design,
    beside,
    leading_directions,
    row_columns,
    sparse_design,
    sparse_rows,
    stacked_rows,
)
from moe_classic._numerics.linalg import unpack_symmetric


def table(rng, n=90, p=7, density=0.1):
    """Sparse rows (n, p) with values of either sign."""
    draw = rng.standard_normal
    return sparse.random_array(
        (n, p), density=density, rng=rng, data_sampler=lambda size: draw(size)
    )


def design_of(rng, **shape):
    """A sparse design, and its matrix laid out."""
    X = table(rng, **shape)
    unit = rng.uniform(0.5, 2.0, X.shape[1])
    Z = np.vstack([X.toarray().T * unit[:, None], np.ones(X.shape[0])])
    return SparseDesign(sparse_design(sparse_rows(X), unit, 1.0)), Z


# ------------------------------------------------------------------------- rows


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("matrix", [False, True])
@pytest.mark.parametrize("dtype", [float, np.float32, int])
def test_rows_of_any_format_are_the_same(rng, kind, matrix, dtype):
    X = (10.0 * table(rng, density=0.3)).toarray().round().astype(dtype)
    given = sparse.csr_matrix(X) if matrix else sparse.csr_array(X)
    rows = sparse_rows(given.asformat(kind))
    assert isinstance(rows, SparseRows)
    assert rows.dtype == np.float64
    assert len(rows) == len(X)
    np.testing.assert_array_equal(rows.toarray(), X)


def test_entries_that_come_twice_are_summed_and_zeros_left_out():
    indptr, indices = np.array([0, 3, 4]), np.array([2, 0, 2], dtype=np.int64)
    data = np.array([1.0, 4.0, 2.0, 0.0])
    given = sparse.csr_array((data, np.append(indices, 1), indptr), shape=(2, 3))
    rows = sparse_rows(given)
    np.testing.assert_array_equal(rows.indices, [0, 2])
    np.testing.assert_array_equal(rows.data, [4.0, 3.0])
    # What was given is as it was.
    assert given.nnz == 4
    np.testing.assert_array_equal(given.data, [1.0, 4.0, 2.0, 0.0])


def test_indices_of_64_bits_do(rng):
    X = table(rng).tocsr()
    wide = sparse.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    design = SparseDesign(sparse_design(sparse_rows(wide), np.ones(7), 1.0))
    w = rng.uniform(size=(2, 90))
    expected = SparseDesign(sparse_design(sparse_rows(X), np.ones(7), 1.0)).grams(w)
    np.testing.assert_array_equal(design.grams(w), expected)


def test_what_tells_rows_apart_does(rng):
    X = sparse_rows(table(rng, n=300, density=0.15))
    shuffled = rng.permutation(300)
    twice = stacked_rows([X, X[shuffled]])
    columns = np.array(row_columns(twice))
    np.testing.assert_array_equal(columns[:, 300:], columns[:, shuffled])
    _, of_hashes = np.unique(columns, axis=1, return_inverse=True)
    _, of_rows = np.unique(twice.toarray(), axis=0, return_inverse=True)
    pairs = {(int(a), int(b)) for a, b in zip(of_hashes.ravel(), of_rows.ravel(), strict=True)}
    assert len(pairs) == len(np.unique(of_rows)) == len(np.unique(of_hashes))


def test_a_value_in_another_column_is_another_row():
    X = sparse_rows(sparse.csr_array(np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [1.0, 0.0, 2.0]])))
    assert np.unique(np.array(row_columns(X)), axis=1).shape[1] == 3


# ------------------------------------------------------------------------- designs


# Below one entry in ten products of entries are added, above rows are laid out.
@pytest.mark.parametrize("density", [0.0, 0.03, 0.08, 0.3, 1.0])
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("pairs", [1, 40, 1 << 22])
def test_products_are_those_of_the_design_laid_out(rng, monkeypatch, density, keep, pairs):
    monkeypatch.setattr(_sparse, "_PAIRS", pairs)
    monkeypatch.setattr(_sparse, "_PIECE", 13)
    made, Z = design_of(rng, density=density)
    design = as_design(made.Z, keep=keep)
    assert isinstance(design, SparseDesign)
    assert (design.width, design.n) == Z.shape
    coef, s = rng.standard_normal((2, 3, 8)), rng.standard_normal((2, 3, 90))
    np.testing.assert_allclose(design.linear(coef), coef @ Z, atol=1e-12)
    np.testing.assert_allclose(design.linear(coef[0, 0]), coef[0, 0] @ Z, atol=1e-12)
    np.testing.assert_allclose(design.scores(s), s @ Z.T, atol=1e-12)
    np.testing.assert_allclose(design.squared_scores(s), s @ (Z**2).T, atol=1e-12)
    for _ in range(2):
        grams = unpack_symmetric(design.grams(s[0], s[1, :1]), 8)
        direct = np.einsum("mn,in,jn->mij", np.vstack([s[0], s[1, :1]]), Z, Z)
        np.testing.assert_allclose(grams, direct, atol=1e-12)


def test_parts_of_a_design(rng):
    design, Z = design_of(rng)
    rows = rng.permutation(90)[:20]
    np.testing.assert_array_equal(design.at(rows).dense().Z, Z[:, rows])
    np.testing.assert_array_equal(design.at(slice(5, 9)).dense().Z, Z[:, 5:9])
    halves = [design.at(slice(0, 40)), design.at(slice(40, 90))]
    np.testing.assert_array_equal(beside(halves).dense().Z, Z)
    assert design.within(np.full((8, 1), 0.1)) is design
    assert (design.sizes() == 1.0).all()
    assert len(design.columns()[0]) == 90


# ------------------------------------------------------------------------- starts


def test_few_features_are_all_looked_at(rng):
    design, Z = design_of(rng)
    w = rng.uniform(size=90)
    seen = leading_directions(design.Z, w)
    centre = Z[:-1] @ w / w.sum()
    spread = np.sqrt((Z[:-1] - centre[:, None]) ** 2 @ w / w.sum())
    unit = np.where(spread > 1e-12, 1.0 / np.maximum(spread, 1e-12), 0.0)
    np.testing.assert_allclose(seen, ((Z[:-1] - centre[:, None]) * unit[:, None]).T, atol=1e-8)


def test_of_many_features_the_leading_directions_are(rng):
    # Two groups of rows that use unlike halves of the features.
    X = table(rng, n=400, p=300, density=0.05).toarray()
    X[:200, :150] = X[200:, 150:] = 0.0
    X = np.abs(X)
    Z = sparse_design(sparse_rows(sparse.csr_array(X)), np.ones(300), 1.0)
    seen = leading_directions(Z, np.ones(400))
    assert seen.shape == (400, 20)
    group = np.where(np.arange(400) < 200, 1.0, -1.0)
    found = seen[:, :2] @ np.linalg.lstsq(seen[:, :2], group, rcond=None)[0]
    assert (np.sign(found) == group).mean() > 0.95
    # A weight of two is a repeated row.
    w = np.where(np.arange(400) < 100, 2.0, 1.0)
    twice = np.concatenate([np.arange(400), np.arange(100)])
    weighted, repeated = leading_directions(Z, w), leading_directions(Z[:, twice], np.ones(500))
    distance = [np.linalg.norm(a[:400] - a[7], axis=1) for a in (weighted, repeated)]
    np.testing.assert_allclose(distance[0], distance[1], rtol=0.05)
