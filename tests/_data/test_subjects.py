"""Rows that belong together: sums, cuts, samples of whole subjects."""

import numpy as np
import pytest

from moe_classic._data import ArraySource, RawData, Subjects, fit_design, gathered, merge_sample
from moe_classic._data.sample import take_sample


@pytest.fixture
def subjects():
    return Subjects(np.array([3, 1, 4, 2]), np.array([1.0, 2.0, 1.0, 3.0]))


def test_sums_means_and_rows(subjects, rng):
    a = rng.normal(size=(2, 10))
    parts = np.split(a, [3, 4, 8], axis=1)
    np.testing.assert_allclose(subjects.sums(a), np.array([p.sum(axis=1) for p in parts]).T)
    np.testing.assert_allclose(subjects.means(a), np.array([p.mean(axis=1) for p in parts]).T)
    np.testing.assert_array_equal(
        subjects.at_rows(np.arange(4.0)), np.repeat(np.arange(4.0), [3, 1, 4, 2])
    )
    np.testing.assert_array_equal(subjects.rows_of(np.array([2, 0])), [4, 5, 6, 7, 0, 1, 2])
    assert subjects.rows_weight.tolist() == [1.0] * 3 + [2.0] + [1.0] * 4 + [3.0] * 2


@pytest.mark.parametrize("step", range(1, 12))
def test_cuts_are_whole_and_complete(subjects, step):
    cuts = list(subjects.cut(step))
    rows = np.concatenate([np.arange(10)[r] for r, _ in cuts])
    inside = np.concatenate([np.arange(4)[s] for _, s in cuts])
    np.testing.assert_array_equal(rows, np.arange(10))
    np.testing.assert_array_equal(inside, np.arange(4))
    for r, s in cuts:
        part = subjects.part(s)
        assert part.sizes.sum() == r.stop - r.start
        assert part.sizes[:-1].sum() < step


def test_rows_are_gathered_by_subject(rng):
    member = rng.permutation(np.repeat(np.arange(5), 4))
    w = 1.0 + member
    order, subjects = gathered(member, w, np.arange(5))
    np.testing.assert_array_equal(member[order], np.repeat(np.arange(5), 4))
    np.testing.assert_array_equal(subjects.w, 1.0 + np.arange(5))


def test_blocks_of_a_source_end_where_subjects_do(subjects, rng):
    X, y = rng.normal(size=(10, 2)), rng.normal(size=(1, 10))
    rows = lambda: [(X, subjects.rows_weight, subjects)]  # noqa: E731
    gate = fit_design(
        None, rows, fit_on=(X, y[0]), names_in=None, standardize=True, averaged=True, owner="gate"
    )
    assert gate.names == ("mean(x0)", "mean(x1)")
    source = ArraySource(X, y, subjects.rows_weight, (gate,), 5, subjects=subjects)
    blocks = list(source)
    assert [b.w.size for b in blocks] == [8, 2]
    assert [b.subject_w.size for b in blocks] == [3, 1]
    Z = np.concatenate([b.designs[0].Z for b in blocks], axis=1)[:-1]
    np.testing.assert_allclose(Z @ subjects.w, 0.0, atol=1e-12)
    np.testing.assert_allclose(Z**2 @ subjects.w / subjects.w.sum(), 1.0)


def test_samples_are_of_subjects_whatever_their_order(rng):
    X, y = rng.normal(size=(600, 2)), rng.normal(size=(1, 600))
    X[3:6], y[:, 3:6] = X[[2, 1, 0]], y[:, [2, 1, 0]]  # the second subject is the first again
    subjects = Subjects(np.full(200, 3), np.ones(200))
    whole = take_sample(X, y, np.ones(600), 10_000, subjects)
    assert whole.complete
    assert whole.subjects.count == 199
    assert sorted(whole.subjects.w)[-2:] == [1.0, 2.0]
    order = rng.permutation(200)
    places = subjects.rows_of(order).reshape(-1, 3)[:, ::-1].ravel()
    again = take_sample(X[places], y[:, places], np.ones(600), 10_000, subjects)
    np.testing.assert_array_equal(whole.X, again.X)
    np.testing.assert_array_equal(whole.w, again.w)


def test_samples_grow_by_batches(rng):
    X, y = rng.normal(size=(3000, 1)), rng.normal(size=(1, 3000))
    half, subjects = (
        Subjects(np.full(500, 3), np.ones(500)),
        Subjects(np.full(1000, 3), np.ones(1000)),
    )
    whole = take_sample(X, y, np.ones(3000), 900, subjects)
    assert whole.subjects.count == 300
    assert not whole.complete
    sample = None
    for part in (slice(0, 1500), slice(1500, 3000)):
        sample = merge_sample(sample, X[part], y[:, part], np.ones(1500), 900, half)
    np.testing.assert_array_equal(sample.X, whole.X)
    assert not sample.complete
    few = take_sample(X, y, np.ones(3000), 90, subjects)
    assert few.subjects.count == 200


def test_merged_subjects_keep_their_weight(rng):
    X, y = rng.normal(size=(6, 1)), rng.normal(size=(1, 6))
    twice = np.r_[np.arange(6), np.arange(3)]
    subjects = Subjects(np.array([3, 3, 3]), np.array([1.0, 2.0, 5.0]))
    raw = RawData(X[twice], y[:, twice], subjects.rows_weight, np.ones(9, dtype=bool), subjects)
    merged = raw.merged()
    assert merged.size == 2
    assert sorted(merged.subjects.w) == [2.0, 6.0]
