"""What benchmarks measured: csv files in ``results/``, from which tables.py makes tables."""

import argparse
import platform
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).parent / "results"


def processor():
    """Name of this machine's processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def add_output(parser: argparse.ArgumentParser):
    """Option that says where figures go; a trial run may put them elsewhere."""
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="folder of the csv (default: %(default)s)"
    )


def read(name, folder=RESULTS):
    """Figures of one benchmark."""
    return pd.read_csv(Path(folder) / f"{name}.csv")


def keep(name, rows, keys, folder=RESULTS):
    """Write rows down; those with the same keys are replaced where they stand, others stay.

    Parameters
    ----------
    name : str
        Of the csv file.
    rows : list of dict
        Figures by column.
    keys : list of str
        Columns that say what was measured.
    folder : Path
        Made if it is not there.
    """
    fresh = pd.DataFrame(rows).assign(processor=processor())
    path = Path(folder) / f"{name}.csv"
    if path.exists():
        old = pd.read_csv(path)
        places = {_key(row, keys): i for i, (_, row) in enumerate(old.iterrows())}
        both = pd.concat([old, fresh], ignore_index=True)
        last = {_key(row, keys): i for i, (_, row) in enumerate(both.iterrows())}
        order = sorted(last, key=lambda key: places.get(key, last[key]))
        fresh = both.iloc[[last[key] for key in order]]
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh.to_csv(path, index=False, float_format="%.6g")


def _key(row, keys):
    """What a row measured, as text."""
    return tuple(f"{row[k]}" for k in keys)


def widen(name, rows, keys, folder=RESULTS):
    """Like :func:`keep`, where rows have ``least`` and ``most``: earlier runs count as well."""
    path = Path(folder) / f"{name}.csv"
    if path.exists():
        old = {_key(row, keys): row for _, row in pd.read_csv(path).iterrows()}
        for row in rows:
            if (before := old.get(_key(row, keys))) is not None:
                row["least"] = min(row["least"], before["least"])
                row["most"] = max(row["most"], before["most"])
    keep(name, rows, keys, folder)
