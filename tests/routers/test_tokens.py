"""Samples cut into tokens."""

import numpy as np
import pytest

from moe_classic.routers import Features, Patches, check_tokens


def test_patches_are_squares_of_the_image(rng):
    images = rng.normal(size=(3, 4, 6))
    cut = Patches((4, 6), 2).cut(images.reshape(3, -1))
    assert cut.shape == (3, 6, 4)
    np.testing.assert_array_equal(cut[1, 0], images[1, :2, :2].ravel())
    np.testing.assert_array_equal(cut[2, 4], images[2, 2:, 2:4].ravel())


def test_features_one_by_one(rng):
    X = rng.normal(size=(5, 3))
    np.testing.assert_array_equal(Features().cut(X)[:, :, 0], X)


@pytest.mark.parametrize(
    ("tokens", "kind", "words"),
    [
        (Patches((3, 3), 1), ValueError, "9 pixels and X has 12"),
        (Patches((3, 4), 2), ValueError, "size=2 must divide"),
        (Patches("big", 2), TypeError, "shape='big'"),
        ("patches", TypeError, "tokens='patches'"),
    ],
)
def test_what_cannot_cut_says_so(tokens, kind, words):
    with pytest.raises(kind, match=words):
        check_tokens(tokens, 12)
