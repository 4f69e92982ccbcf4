"""Loaders of the bundled tables, in the manner of scikit-learn.

The raw files live in the folder ``datasets`` at the top of the source tree, and beside this module
(``data``) in an installed wheel. Their README is the one place where source, units and licence are
written down; each loader returns its section as ``DESCR``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

__all__ = ["load_faithful", "load_motorcycle", "load_tone"]


def load_tone(*, return_X_y: bool = False, as_frame: bool = False) -> Bunch | tuple[Any, Any]:
    """Load the tone perception data: 150 tunings of one musician (Cohen 1980).

    ``stretchratio`` (dimensionless) predicts ``tuned`` (dimensionless). Two ways of hearing are
    mixed: the true octave (``tuned = 2``) and the stretched overtone (``tuned = stretchratio``).

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return ``data`` as a DataFrame and ``target`` as a Series.

    Returns
    -------
    Bunch or tuple
        A Bunch with ``data`` (150, 1), ``target`` (150,), ``feature_names``, ``target_names``,
        ``frame`` (both columns, or None unless `as_frame`), ``DESCR`` and ``filename``; the pair
        ``(data, target)`` if `return_X_y`.

    Examples
    --------
    >>> from moe_classic.datasets import load_tone
    >>> X, y = load_tone(return_X_y=True)
    >>> X.shape, y.shape
    ((150, 1), (150,))
    """
    return _load("tone", "stretchratio", "tuned", return_X_y=return_X_y, as_frame=as_frame)


def load_motorcycle(*, return_X_y: bool = False, as_frame: bool = False) -> Bunch | tuple[Any, Any]:
    """Load the motorcycle data: 133 head accelerations in a simulated crash (Silverman 1985).

    ``times`` (ms after the impact) predicts ``accel`` (multiples of g). Mean and spread both change
    with time.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return ``data`` as a DataFrame and ``target`` as a Series.

    Returns
    -------
    Bunch or tuple
        A Bunch with ``data`` (133, 1), ``target`` (133,), ``feature_names``, ``target_names``,
        ``frame`` (both columns, or None unless `as_frame`), ``DESCR`` and ``filename``; the pair
        ``(data, target)`` if `return_X_y`.

    Examples
    --------
    >>> from moe_classic.datasets import load_motorcycle
    >>> X, y = load_motorcycle(return_X_y=True)
    >>> X.shape, y.shape
    ((133, 1), (133,))
    """
    return _load("motorcycle", "times", "accel", return_X_y=return_X_y, as_frame=as_frame)


def load_faithful(*, return_X_y: bool = False, as_frame: bool = False) -> Bunch | tuple[Any, Any]:
    """Load the Old Faithful data: 272 eruptions and waits (Azzalini & Bowman 1990).

    ``eruptions`` (length in minutes) predicts ``waiting`` (minutes to the next eruption): the
    length is known when the wait begins.

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return ``data`` as a DataFrame and ``target`` as a Series.

    Returns
    -------
    Bunch or tuple
        A Bunch with ``data`` (272, 1), ``target`` (272,), ``feature_names``, ``target_names``,
        ``frame`` (both columns, or None unless `as_frame`), ``DESCR`` and ``filename``; the pair
        ``(data, target)`` if `return_X_y`.

    Examples
    --------
    >>> from moe_classic.datasets import load_faithful
    >>> X, y = load_faithful(return_X_y=True)
    >>> X.shape, y.shape
    ((272, 1), (272,))
    """
    return _load("faithful", "eruptions", "waiting", return_X_y=return_X_y, as_frame=as_frame)


def _load(
    name: str, feature: str, target: str, *, return_X_y: bool, as_frame: bool
) -> Bunch | tuple[Any, Any]:
    """Read ``<name>.csv`` and hand out its columns as scikit-learn's loaders do."""
    path = _data_folder() / f"{name}.csv"
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    data, values, frame = table[:, :1].copy(), table[:, 1].copy(), None
    if as_frame:
        frame = pd.DataFrame(table, columns=[feature, target])
        data, values = frame[[feature]], frame[target]
    if return_X_y:
        return data, values
    return Bunch(
        data=data,
        target=values,
        frame=frame,
        feature_names=[feature],
        target_names=[target],
        DESCR=_description(name),
        filename=str(path),
    )


def _data_folder() -> Path:
    """Folder of the raw files: inside an installed wheel, else at the top of a source tree."""
    here = Path(__file__).resolve().parent
    folders = (here / "data", here.parents[1] / "datasets")
    for folder in folders:
        if (folder / "README.md").is_file():
            return folder
    raise FileNotFoundError(
        f"The bundled tables are neither in {folders[0]} nor in {folders[1]}. The installation is "
        "incomplete: install moe_classic again, or fetch the folder datasets/ of its sources."
    )


def _description(name: str) -> str:
    """Section ``## name`` of the README that lies beside the tables."""
    readme = (_data_folder() / "README.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in readme.split("\n## ")}
    return f"## {sections[name].strip()}\n"
