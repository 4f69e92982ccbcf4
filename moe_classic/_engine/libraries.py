"""The compiled libraries below numpy and scikit-learn, and how many threads they may take."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> ThreadpoolController:
    """Those with threads, looked for once: that takes longer than many a fit on few rows."""
    return ThreadpoolController()


def one_thread(kind: str) -> AbstractContextManager[Any]:
    """Within it, libraries of a kind, ``"blas"`` or ``"openmp"``, have one thread."""
    return _libraries().limit(limits=1, user_api=kind)
