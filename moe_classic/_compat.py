"""Where versions differ: scikit-learn has callbacks from 1.9 on, joblib cloudpickle up to 1.5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import sklearn

try:
    from joblib.externals import cloudpickle
except ImportError:  # which joblib then depends on
    import cloudpickle

__all__ = ["HAS_CALLBACKS", "CallbackSupportMixin", "cloudpickle", "with_callbacks"]

F = TypeVar("F", bound=Callable[..., Any])


class _NoContext:
    """What a fit reports to where nobody can listen."""

    def call_on_fit_task_begin(self, **_: Any) -> None:
        """A task began."""

    def call_on_fit_task_end(self, **_: Any) -> bool:
        """A task ended; nobody asks to stop."""
        return False


class NoCallbacks:
    """Stands in for scikit-learn's ``CallbackSupportMixin``: fits as before, takes no callbacks."""

    def set_callbacks(self, *callbacks: Any) -> NoReturn:
        """Refuse callbacks: they need scikit-learn 1.9.

        Parameters
        ----------
        *callbacks : callback instances
            Nothing is done with them.

        Raises
        ------
        ImportError
            Always.
        """
        raise ImportError(
            f"set_callbacks needs scikit-learn >= 1.9, and {sklearn.__version__} is installed. "
            "Upgrade scikit-learn, or set verbose=1 to follow a fit in the log."
        )

    def _init_callback_context(self, **_: Any) -> _NoContext:
        """Context of one fit."""
        return _NoContext()


def undecorated(method: F) -> F:
    """Stands in for scikit-learn's ``with_callbacks``: the method as it is."""
    return method


try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks

    def with_callbacks(method: F) -> F:
        """scikit-learn's ``with_callbacks``, which has no types: the method keeps its own."""
        return cast("F", _with_callbacks(method))

    HAS_CALLBACKS = True
except ImportError:
    CallbackSupportMixin = NoCallbacks
    with_callbacks = undecorated
    HAS_CALLBACKS = False
