"""Mini-batches and held-out rows."""

import numpy as np
import pytest

from moe_classic.solvers._batches import batches, held_out, weight_of

from .problems import drawn, problem_on


def rows(source):
    return np.sort(np.concatenate([block.designs[0].Z[0] for block in source]))


@pytest.fixture
def source(rng):
    X = rng.standard_normal((103, 2))
    w = rng.uniform(0.5, 2.0, 103)
    return problem_on(X, rng.standard_normal((1, 103)), w=w, block_size=20).source


def streamed(source):
    """The same blocks from a source that is not in memory."""
    return list(source)


@pytest.mark.parametrize("kind", [lambda s: s, streamed], ids=["memory", "stream"])
def test_batches_hold_every_row_once(source, kind, rng):
    found = list(batches(kind(source), 10, rng))
    np.testing.assert_array_equal(rows(found), rows(source))
    assert max(b.w.size for b in found) <= 10
    # None is so small that its gradient would be all noise.
    assert min(b.w.size for b in found) >= 3


def test_batches_keep_features_target_and_weight_together(source, rng):
    whole = problem_on(source.X, source.y, w=source.w).source[0]
    where = {z: i for i, z in enumerate(whole.designs[0].Z[0])}
    for block in batches(source, 7, rng):
        index = [where[z] for z in block.designs[0].Z[0]]
        np.testing.assert_array_equal(block.designs[1].Z, whole.designs[1].Z[:, index])
        np.testing.assert_array_equal(block.y, whole.y[:, index])
        np.testing.assert_array_equal(block.w, whole.w[index])


def test_batches_are_shuffled_anew_by_the_generator(source):
    def firsts(seed, epochs):
        rng = np.random.default_rng(seed)
        return [next(batches(source, 10, rng)).designs[0].Z[0] for _ in range(epochs)]

    one, two = firsts(0, 2)
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(firsts(0, 1)[0], one)


def test_batches_of_rows_in_memory_do_not_depend_on_blocks(source):
    first = next(batches(source, 10, np.random.default_rng(0)))
    source.block_size, source._kept = 3, {}
    again = next(batches(source, 10, np.random.default_rng(0)))
    np.testing.assert_array_equal(first.designs[0].Z, again.designs[0].Z)


@pytest.mark.parametrize(
    ("kind", "apart"),
    # Cut by weight to within a row; of a stream, five standard errors of 103 independent draws.
    [(lambda s: s, 0.02), (streamed, 0.21)],
    ids=["memory", "stream"],
)
def test_held_out_rows_and_the_others_make_up_the_whole(source, kind, apart):
    train, test = held_out(kind(source), 0.25, 0)
    np.testing.assert_array_equal(np.sort(np.r_[rows(train), rows(test)]), rows(source))
    total = weight_of(source)
    assert weight_of(train) + weight_of(test) == pytest.approx(total)
    assert weight_of(test) / total == pytest.approx(0.25, abs=apart)


def test_held_out_rows_follow_from_the_seed(source):
    first, again, other = (rows(held_out(source, 0.25, seed)[1]) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_held_out_share_keeps_a_row_on_either_side(source):
    for share in (1e-9, 1.0 - 1e-9):
        train, test = held_out(source, share, 0)
        assert rows(train).size >= 1
        assert rows(test).size >= 1


def test_held_out_needs_two_rows():
    problem, _ = drawn(n=2)
    lonely = problem_on(problem.source.X[:1], problem.source.y[:, :1]).source
    with pytest.raises(ValueError, match=r"validation_fraction=0.5 needs at least two"):
        held_out(lonely, 0.5, 0)
