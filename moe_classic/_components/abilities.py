"""What a component can do, and the one check of what is asked of it.

A contract has methods that a component may leave out. They are marked :func:`optional`: a component
that overrides one has the *ability* of that name. Class facts such as ``additive`` are abilities
too. Whoever needs some (a solver, inference, learning by batches, an export) lists them and calls
:func:`require`, before any work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from moe_classic._sklearn import BaseEstimator
from moe_classic._typing import Bools, Floats, Names

Method = TypeVar("Method", bound=Callable[..., Any])

#: Sine of the angle between a direction and those that leave coefficients alone, at least.
_MOVED = 1e-6

#: What each ability is, for the sentence that misses it.
ABILITIES = {
    "additive": "statistics that are sums over rows",
    "derivatives": "derivatives of the log density",
    "draw": "parameters that can be drawn at random",
    "gradient": "a gradient",
    "gradient_from": "gradients of the log density",
    "graph": "a graph of ONNX operators",
    "lines": "predictors linear in the features",
    "output_slopes": "outputs whose slopes in the linear predictors are known",
    "pack": "coordinates, so that there is a half way between two fits",
    "smooth": "a smooth log density",
    "terms": "parameters that tables can describe",
    "translate": "statistics that can be carried along from batch to batch",
}


def optional(method: Method) -> Method:
    """Mark a method of a contract that a component may leave out."""
    method.is_left_out = True  # type: ignore[attr-defined]
    return method


class Component(BaseEstimator):
    """What experts and gates have in common.

    Attributes
    ----------
    name : registered name.
    additive : whether its statistics are sums over rows of bounded size.
    smooth : whether the log density is twice differentiable in the parameters.
    raw : whether it is to see X as the user gave it, not standardised.
    takes_missing : whether it knows what to do with NaN in X.
    takes_sparse : whether its design may be a :class:`scipy.sparse.csc_array`: it asks for products
        and sums of the design, and for no entry.
    features : what it sees of X; None is all of it.
    plural : what several like it are called.
    """

    name: ClassVar[str]
    plural: ClassVar[str]
    additive: ClassVar[bool] = True
    smooth: ClassVar[bool] = True
    raw: ClassVar[bool] = False
    takes_missing: bool = False
    takes_sparse: bool = False
    #: Whether a penalty makes slopes exactly zero, and the objective has kinks.
    sparse: bool = False
    features: Any = None

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """An ability, or what belongs to it: there if `has` says so."""

    def has(self, ability: str) -> bool:
        """Whether it has an ability: a method that is there, or a fact that holds."""
        value = getattr(self, ability, False)
        return not getattr(value, "is_left_out", False) if callable(value) else bool(value)

    @property
    def sees(self) -> Any:
        """The features that its design is made of; wrappers see those of what they wrap."""
        return self.features

    def lacks(self, ability: str) -> TypeError:
        """The error of an ability that is asked for although it was left out."""
        return TypeError(f"{type(self).__name__} has no `{ability}`: {ABILITIES[ability]}.")

    def with_data_names(
        self, names: Names, width: int, classes: Any, n_jobs: int | None
    ) -> Component:
        """The component that knows the user's names, classes and ``n_jobs``, if it cares."""
        return self

    def redundant(self, params: Any, null: Floats) -> int:
        """How many parameters are none, as directions ``null`` (q, r) of its design do nothing."""
        if not (self.has("lines") and null.size):
            return 0
        coef = self.lines(params)
        off = np.zeros(coef.shape, dtype=bool)
        if hasattr(self, "coefficient_places"):
            # Coefficients that are known are no parameters, nor what moves them.
            off |= self.coefficient_places(params) < 0
        if self.sparse:
            # Slopes that are zero do not count already: what is left to directions of the others.
            off[..., :-1] |= coef[..., :-1] == 0.0
        return sum(free_directions(null, row).shape[1] for row in off.reshape(-1, len(null)))

    def notices(self, params: Any) -> tuple[Any, ...]:
        """Warnings that fits inside the component gave."""
        return ()


def free_directions(null: Floats, held: Bools) -> Floats:
    """Of orthonormal directions (q, r) those without the coefficients ``held`` (q,), (q, s)."""
    if not held.any():
        return null
    _, sizes, turn = np.linalg.svd(null[held])
    moved = int((sizes > _MOVED).sum())
    return np.asarray(null @ turn[moved:].T, dtype=np.float64)


def require(
    components: Iterable[Component], needs: Sequence[str], *, who: str, instead: str
) -> None:
    """Raise unless every component has every ability that is needed.

    Raises
    ------
    ValueError
        It names who needs what, which component has it not, and what to do instead.
    """
    for component in components:
        for ability in needs:
            if not component.has(ability):
                raise ValueError(
                    f"{who} needs `{ability}`, {ABILITIES[ability]}; "
                    f"{component.name!r} {component.plural} have none. {instead}"
                )
