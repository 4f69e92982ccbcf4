"""A sample as several rows of the stream: patches of an image, or features one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from moe_classic._sklearn import BaseEstimator

Array = np.ndarray


class Tokens(BaseEstimator, ABC):
    """Base class: how a sample is cut into tokens, the rows of the stream.

    Examples
    --------
    >>> from moe_classic.routers import Patches, Tokens
    >>> isinstance(Patches((8, 8), 4), Tokens)
    True
    """

    @abstractmethod
    def check(self, n_features: int) -> None:
        """Raise unless samples of so many features can be cut."""

    @abstractmethod
    def cut(self, X: Array) -> Array:
        """Samples (n, p) as tokens (n, T, q)."""


class Patches(Tokens):
    """Square patches of an image, row by row.

    Parameters
    ----------
    shape : tuple of (int, int)
        Rows and columns of the image; features are its pixels, row by row.
    size : int
        Rows and columns of a patch; divides both.

    References
    ----------
    Dosovitskiy et al. (2021), An image is worth 16x16 words, ICLR.

    Examples
    --------
    >>> from moe_classic import SparseMoEClassifier
    >>> from moe_classic.routers import Patches
    >>> moe = SparseMoEClassifier(8, router="soft", tokens=Patches((8, 8), 4))
    """

    def __init__(self, shape: tuple[int, int], size: int) -> None:
        self.shape = shape
        self.size = size

    def check(self, n_features: int) -> None:
        """Raise unless the pixels are those of an image that patches tile."""
        try:
            rows, columns = (int(s) for s in self.shape)
            size = int(self.size)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"Patches: shape={self.shape!r} must be two integers and size={self.size!r} one."
            ) from error
        if rows * columns != n_features:
            raise ValueError(
                f"Patches: shape={self.shape!r} has {rows * columns} pixels and X has {n_features} "
                "features; give the rows and columns of the images in X."
            )
        if size < 1 or rows % size or columns % size:
            raise ValueError(f"Patches: size={self.size!r} must divide both of shape={self.shape}.")

    def cut(self, X: Array) -> Array:
        """Images (n, p) as patches (n, T, size * size)."""
        (rows, columns), s = self.shape, self.size
        grid = X.reshape(len(X), rows // s, s, columns // s, s).transpose(0, 1, 3, 2, 4)
        return np.ascontiguousarray(grid).reshape(len(X), -1, s * s)


class Features(Tokens):
    """Every feature a token of its own.

    Examples
    --------
    >>> from moe_classic import SparseMoERegressor
    >>> from moe_classic.routers import Features
    >>> moe = SparseMoERegressor(4, router="soft", tokens=Features())
    """

    def check(self, n_features: int) -> None:
        """Any sample can be cut so."""

    def cut(self, X: Array) -> Array:
        """Samples (n, p) as tokens (n, p, 1)."""
        return X[:, :, None]


def check_tokens(tokens: Any, n_features: int) -> None:
    """Raise unless ``tokens`` is None or cuts samples of so many features.

    Examples
    --------
    >>> from moe_classic.routers import Patches, check_tokens
    >>> check_tokens(Patches((8, 8), 4), 64)
    """
    if tokens is None:
        return
    if not isinstance(tokens, Tokens):
        raise TypeError(
            f"tokens={tokens!r} must be None, Patches(shape, size) or Features() of "
            "moe_classic.routers."
        )
    tokens.check(n_features)
