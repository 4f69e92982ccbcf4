"""Columns of X that come with the rows but are no features: offsets, exposures, numbers of trials.

They ride along as rows of the design, right before the constant, and their coefficients are known:
1 for what is added to a predictor, 0 for what a density reads by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from moe_classic._data import DesignMap
from moe_classic._typing import Floats


@dataclass(frozen=True)
class Role:
    """What a column of X stands for.

    Attributes
    ----------
    name : the argument that names the column
    coef : the coefficient that its row of the design has
    says : the values that it may have, in words
    """

    name: str
    coef: float
    says: str

    def wrong(self, x: Floats) -> Any:
        """Which values cannot be, (n,) of bool."""
        if self.name not in ("exposure", "trials"):
            return ~np.isfinite(x)
        small = 1.0 if self.name == "trials" else np.finfo(float).tiny
        uneven = (x != np.rint(x)) if self.name == "trials" else False
        return ~(np.isfinite(x) & (x >= small)) | uneven

    def values(self, x: Floats) -> Floats:
        """What stands in the design."""
        return np.log(x) if self.name == "exposure" else x


ROLES = {
    role.name: role
    for role in (
        Role("offset", 1.0, "finite numbers, added to the linear predictor"),
        Role("exposure", 1.0, "finite numbers > 0, whose logarithm is added to the predictor"),
        Role("trials", 0.0, "whole numbers >= 1, in how many trials y is counted"),
        Role("low", 0.0, "finite numbers, the smallest y that could be seen in a row"),
        Role("high", 0.0, "finite numbers, the largest y that could be seen in a row"),
        Role("inflation", 0.0, "finite numbers, features of the zeros alone"),
    )
}


@dataclass(frozen=True)
class Carried:
    """A column of X, by name or index, in a role."""

    role: str
    column: Any

    @property
    def coef(self) -> float:
        """The known coefficient."""
        return ROLES[self.role].coef

    def place(self, names: list[str], owner: str) -> int:
        """Number of the column among all of X."""
        if isinstance(self.column, str) and self.column in names:
            return names.index(self.column)
        number = isinstance(self.column, (int, np.integer)) and type(self.column) is not bool
        if number and -len(names) <= self.column < len(names):
            return int(self.column) % len(names)
        raise ValueError(
            f"{owner}: {self.role}={self.column!r} is not a column of X; X has {len(names)} "
            f"columns {names[:8]}{'...' if len(names) > 8 else ''}. Give a name or an index."
        )

    def check(self, owner: str, x: Floats, *, rows: Any = None) -> None:
        """Raise unless all values of the column can be; ``rows`` are their numbers."""
        role = ROLES[self.role]
        wrong = np.flatnonzero(role.wrong(x))
        if wrong.size:
            i = int(wrong[0])
            where = "" if rows is None else f" in row {int(rows[i])}"
            raise ValueError(
                f"{owner}: the column {self.role}={self.column!r} of X has {x[i]:g}{where}; it "
                f"must hold {role.says}."
            )


@dataclass(frozen=True)
class CarryingMap(DesignMap):
    """A map to designs whose last rows but the constant are carried columns.

    ``names``, ``centre`` and ``inverse`` are those of the features alone, and so are the slopes
    that :meth:`original` gives.

    Attributes
    ----------
    carried : what is carried, places : their columns
    middle, spreads : what their rows are centred at, and divided by
    owner : whose columns they are
    """

    carried: tuple[Carried, ...] = ()
    places: tuple[int, ...] = ()
    middle: tuple[float, ...] = ()
    owner: str = ""
    spreads: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Rows q of the design: features, carried columns and the constant."""
        return len(self.centre) + len(self.carried) + 1

    def __call__(self, X: np.ndarray) -> Floats:
        """Design matrix (q, n) of the rows of ``X``."""
        raw = self.raw(X)
        out, p = np.empty((self.width, len(X))), len(self.centre)
        np.subtract(raw.T, self.centre[:, None], out=out[:p])
        out[:p] *= self.inverse[:, None]
        out[p:-1] = self.rows(X)
        out[-1] = self.constant
        return out

    def rows(self, X: np.ndarray) -> Floats:
        """The carried rows, (c, n)."""
        out = np.empty((len(self.carried), len(X)))
        for i, (item, place) in enumerate(zip(self.carried, self.places, strict=True)):
            x = np.asarray(X[:, place], dtype=np.float64)
            item.check(self.owner, x)
            np.subtract(ROLES[item.role].values(x), self.middle[i], out=out[i])
            if item.role == "inflation":
                out[i] /= self.spreads[i]
        return out

    @property
    def added(self) -> tuple[str, ...]:
        """What of them stands in an equation as it is."""
        known = self.names_in
        names = [f"x{i}" if known is None else str(known[i]) for i in self.places]
        parts = zip(self.carried, names, strict=True)
        return tuple(f"log {n}" if c.role == "exposure" else n for c, n in parts if c.coef)

    def original(self, coef: Floats) -> tuple[Floats, Floats]:
        """Slopes and intercepts on the raw scale of the features."""
        p = len(self.centre)
        own = np.concatenate([coef[..., :p], coef[..., -1:]], axis=-1)
        slopes, intercepts = super().original(own)
        return slopes, intercepts - coef[..., p:-1] @ np.array(self.middle)


def carrying(
    base: DesignMap,
    carried: tuple[Carried, ...],
    names: list[str],
    X: Floats,
    w: Floats,
    owner: str,
) -> CarryingMap:
    """The map ``base`` with carried columns, centred at their weighted means over ``X``."""
    places = tuple(item.place(names, owner) for item in carried)
    middle, spreads = [], []
    for item, j in zip(carried, places, strict=True):
        x = ROLES[item.role].values(X[:, j])
        free = item.role == "inflation"
        centred = free or (item.coef and base.constant)
        mean = float(w @ x / w.sum()) if centred else 0.0
        size = float(np.sqrt(w @ np.square(x - mean) / w.sum())) if free else 1.0
        middle.append(mean)
        spreads.append(size if size > 0.0 else 1.0)
    own = {f.name: getattr(base, f.name) for f in fields(DesignMap)}
    return CarryingMap(
        **own,
        carried=carried,
        places=places,
        middle=tuple(middle),
        owner=owner,
        spreads=tuple(spreads),
    )
