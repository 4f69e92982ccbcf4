"""Rows by what is missing in them."""

import numpy as np
import pytest

from moe_classic._data import Design, is_incomplete, pieces_of


@pytest.mark.parametrize(("p", "n", "share"), [(1, 5, 0.5), (3, 200, 0.3), (12, 300, 0.4)])
def test_every_row_is_in_one_piece_with_its_pattern(p, n, share):
    missing = np.random.default_rng(0).random((p, n)) < share
    pieces = pieces_of(missing)
    rows = np.concatenate([piece.rows[piece.counted] for piece in pieces])
    assert np.sort(rows).tolist() == list(range(n))
    for piece in pieces:
        assert len(np.unique(piece.seen, axis=0)) == len(piece.seen)
        # Places that are left hold the same pattern, and are no more than are taken.
        assert 2 * piece.counted.sum() >= piece.counted.size
        for seen, mine in zip(piece.seen, piece.rows, strict=True):
            assert (missing[:, mine] == ~seen[:, None]).all()


def test_there_are_few_pieces_of_many_patterns():
    missing = np.random.default_rng(0).random((20, 4000)) < 0.5
    assert len(np.unique(missing, axis=1).T) > 3900
    # One piece would hold too many matrices; rows alone would be 4,000 pieces.
    assert len(pieces_of(missing)) < 60


def test_a_design_finds_its_pieces_once_and_none_where_nothing_is_missing():
    Z = np.ones((3, 10))
    assert Design(Z).pieces == ()
    assert not is_incomplete(Z)
    Z[0, 4] = np.nan
    design = Design(Z)
    assert is_incomplete(Z)
    assert design.pieces is design.pieces
    assert sum(piece.counted.sum() for piece in design.pieces) == 10


def test_numbers_whose_sum_overflows_are_complete():
    Z = np.array([[1e308, 1e308, -1e308, -1e308]])
    with np.errstate(over="ignore"):
        assert not is_incomplete(Z)
