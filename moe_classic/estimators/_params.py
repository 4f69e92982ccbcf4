"""Nested parameter names that reach into a list of unlike experts."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.utils.metaestimators import _BaseComposition


class NestedExperts(_BaseComposition):
    """``get_params`` and ``set_params`` that know experts of a list by their own names."""

    #: Argument that may be a list of (name, expert) pairs.
    _listed: ClassVar[str] = "expert"

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002
        """Arguments by name, with ``deep`` also those of gate, solver and experts.

        A single expert is reached as ``expert__df``, one of a list by its own name: ``line``
        replaces it, ``line__alpha`` changes it.
        """
        if self._by_name(getattr(self, self._listed)):
            return self._get_params(self._listed, deep=deep)
        return super().get_params(deep=deep)

    def set_params(self, **params: Any) -> Any:
        """Set arguments by the names that :meth:`get_params` knows."""
        if self._by_name(params.get(self._listed, getattr(self, self._listed))):
            self._set_params(self._listed, **params)
            return self
        return super().set_params(**params)

    @staticmethod
    def _by_name(expert: Any) -> bool:
        """Whether ``expert`` is a list of (name, expert) pairs."""
        return isinstance(expert, (list, tuple)) and all(
            isinstance(item, (list, tuple)) and len(item) == 2 for item in expert
        )
