"""The blocks that sources cut."""

import numpy as np
import pytest

from moe_classic._data import blocks as _blocks
from moe_classic._data.blocks import ArraySource, default_block_size


class Affine:
    """A feature map: all columns and the constant."""

    def __init__(self, p):
        self.width = p + 1
        self.calls = 0

    def __call__(self, X):
        self.calls += 1
        return np.vstack([X.T, np.ones(len(X))])


class Constant:
    """A feature map that sees nothing."""

    width = 1

    def __call__(self, X):
        return np.ones((1, len(X)))


@pytest.fixture
def table(rng):
    """Rows (103, 2), a target (1, 103), weights."""
    return rng.standard_normal((103, 2)), rng.standard_normal((1, 103)), rng.uniform(size=103)


@pytest.mark.parametrize(("size", "lengths"), [(50, [50, 50, 3]), (103, [103]), (1000, [103])])
def test_blocks_cover_the_rows_in_order(table, size, lengths):
    X, y, w = table
    source = ArraySource(X, y, w, (Affine(2),), block_size=size)
    blocks = list(source)
    assert len(source) == len(blocks)
    assert [b.w.size for b in blocks] == lengths
    np.testing.assert_array_equal(np.concatenate([b.designs[0].Z[:2] for b in blocks], axis=1), X.T)
    np.testing.assert_array_equal(np.concatenate([b.y for b in blocks], axis=1), y)
    np.testing.assert_array_equal(np.concatenate([b.w for b in blocks]), w)


def test_every_component_has_a_design_of_its_own(table):
    X, y, w = table
    block = ArraySource(X, y, w, (Affine(2), Constant()), block_size=50)[1]
    assert [d.width for d in block.designs] == [3, 1]
    np.testing.assert_array_equal(block.designs[1].Z, np.ones((1, 50)))


def test_target_is_turned_into_what_the_model_works_with_slice_by_slice(table):
    X, y, w = table
    seen = []

    def target(part):
        seen.append(part.shape)
        return part[0] > 0.0

    blocks = list(ArraySource(X, y, w, (Affine(2),), block_size=60, target=target))
    np.testing.assert_array_equal(np.concatenate([b.y for b in blocks]), y[0] > 0.0)
    assert seen == [(1, 60), (1, 43)]


def test_small_data_are_transformed_once(table):
    X, y, w = table
    mapping = Affine(2)
    source = ArraySource(X, y, w, (mapping,), block_size=50)
    first, second = list(source), list(source)
    assert mapping.calls == 3
    assert all(a is b for a, b in zip(first, second, strict=True))


def test_large_data_are_transformed_in_every_pass(table, monkeypatch):
    X, y, w = table
    monkeypatch.setattr(_blocks, "_KEEP_BYTES", 100)
    mapping = Affine(2)
    source = ArraySource(X, y, w, (mapping,), block_size=50)
    for _ in range(2):
        for block in source:
            assert block.designs[0].Z.shape[0] == 3
    assert mapping.calls == 6


def test_mapped_files_are_read_but_not_copied_or_changed(table, tmp_path):
    X, y, w = table
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    source = ArraySource(mapped, y, w, (Affine(2),), block_size=40)
    assert source.X is mapped
    np.testing.assert_array_equal(np.concatenate([b.designs[0].Z[0] for b in source]), X[:, 0])


@pytest.mark.parametrize("widths", [[1], [3], [3, 20], [31], [500]])
@pytest.mark.parametrize("n_experts", [1, 8, 200])
@pytest.mark.parametrize("n_threads", [1, 4])
def test_default_blocks_fit_into_a_cache(widths, n_experts, n_threads):
    size, times = default_block_size(widths, n_experts, n_threads), 1 if n_threads == 1 else 1.5
    assert 512 <= size <= times * 12_000
    # Blocks are as large as their arrays allow, unless they would become tiny.
    row = 8 * (sum(widths) + 12 * n_experts)
    assert size * row <= times * _blocks._BLOCK_BYTES or size == 512
    assert (size + 2000) * row > times * _blocks._BLOCK_BYTES or size == times * 12_000


@pytest.mark.parametrize("n", [7000, 30_000, 100_001, 500_000])
def test_threads_get_as_many_blocks_each(n):
    X, y, w = np.zeros((n, 10)), np.zeros((1, n)), np.broadcast_to(1.0, n)
    source = ArraySource(X, y, w, (Affine(10),), n_experts=4, n_threads=2)
    sizes = [min(source.block_size, n - i * source.block_size) for i in range(len(source))]
    assert len(sizes) == 1 if n <= 18_000 else len(sizes) % 2 == 0
    assert min(sizes) > 0.4 * max(sizes)
    assert source.block_size <= 18_000
