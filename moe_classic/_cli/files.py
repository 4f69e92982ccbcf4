"""What the command leaves in its folder: picture, model, ranking and coefficients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import pandas as pd

from .comparison import Candidate
from .progress import say
from .table import Table, UsageError

#: What may go wrong while a picture is drawn.
_DRAWING = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
#: How text begins that a spreadsheet would compute.
_FORMULA = ("=", "+", "-", "@")


def prepare(folder: Path) -> None:
    """Make the folder before the work whose results it is for."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(folder, error) from None


def save(table: Table, frame: pd.DataFrame, best: Candidate, folder: Path) -> dict[str, Path]:
    """Write picture, model and tables; where each went."""
    names = {
        "picture": "picture.png",
        "model": "model.joblib",
        "ranking": "ranking.csv",
        "coefficients": "coefficients.csv",
    }
    files = {what: folder / name for what, name in names.items()}
    try:
        # What took longest is written first, the picture last.
        joblib.dump(best.model, files["model"])
        harmless(frame).to_csv(files["ranking"])
        harmless(best.model.summary()).to_csv(files["coefficients"])
        _picture(table, best, files["picture"])
    except OSError as error:
        raise not_written(folder, error) from None
    except _DRAWING as error:
        files.pop("picture")
        detail = " ".join(str(error).split())[:200]
        say(f"The picture could not be drawn ({type(error).__name__}: {detail}).")
    return files


def _picture(table: Table, best: Candidate, path: Path) -> None:
    """Draw the best model into a file."""
    # Takes a second to import, which results do not wait for.
    from .picture import draw

    title = f"{Path(table.name).name}: {best.title}"
    figure = draw(
        best.model, table.X, table.y, target=table.target, labels=table.labels, title=title
    )
    figure.savefig(path, dpi=150)


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with labels that no spreadsheet takes for formulas."""

    def plain(label: Any) -> Any:
        return f"'{label}" if isinstance(label, str) and label.startswith(_FORMULA) else label

    labels = [
        axis.map(lambda key: tuple(map(plain, key)) if isinstance(key, tuple) else plain(key))
        for axis in (frame.index, frame.columns)
    ]
    names = [frame.index.names, frame.columns.names]
    index, columns = (axis.set_names(own) for axis, own in zip(labels, names, strict=True))
    return frame.set_axis(index, axis=0).set_axis(columns, axis=1)


def not_written(folder: Path, error: OSError) -> UsageError:
    """The error of a place that takes no files."""
    return UsageError(f"cannot write to --output {folder}: {error.strerror or error}.")
