"""Which types a stored estimator is made of, for loaders that ask before they build.

``skops.io`` builds nothing that it was not told to trust; ``pickle`` and ``joblib`` ask nothing, so
files of strangers are not for them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

__all__ = ["trusted_types"]


def trusted_types() -> list[str]:
    """Names of the package's own types that a stored estimator may hold.

    Returns
    -------
    names : list of str
        Full names, sorted, for ``skops.io.load(file, trusted=trusted_types())``. Experts that are
        estimators of other packages bring types of their own, which skops names when it refuses.

    Examples
    --------
    >>> from moe_classic.persistence import trusted_types
    >>> "moe_classic.estimators._mixture.flat.MoERegressor" in trusted_types()
    True
    """
    for room in iter_modules([str(Path(__file__).parent)], "moe_classic."):
        if not room.name.rpartition(".")[2].startswith("_"):
            import_module(room.name)
    ours = {n: m for n, m in sys.modules.items() if n.startswith("moe_classic.")}
    return sorted(
        f"{name}.{item.__qualname__}"
        for name, module in ours.items()
        for item in vars(module).values()
        if isinstance(item, type)
        and item.__module__ == name
        and not issubclass(item, BaseException)
        and not getattr(item, "_is_protocol", False)
        and not getattr(item, "__abstractmethods__", None)
    )
