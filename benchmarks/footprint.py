"""Import time and size: ``python benchmarks/footprint.py [--tree FOLDER --as before]``.

CPU seconds of imports in fresh interpreters, over those of what any user of scikit-learn has loaded
(``sklearn.linear_model``, ``scipy.stats`` and pandas) in turn with them; size of the wheel. Writes
results/footprint.csv.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _results import add_output, keep

HERE = Path(__file__).resolve().parents[1]
BASE = "import sklearn.linear_model, scipy.stats, pandas"
IMPORTS = {"package": "import moe_classic", "estimator": "from moe_classic import MoERegressor"}


def seconds(code, tree, compiled):
    """CPU seconds of a piece of code in a fresh interpreter; bytecode is kept in ``compiled``."""
    timed = f"import time; t = time.process_time(); {code}; print(time.process_time() - t)"
    env = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    env |= {"PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            [sys.executable, "-c", timed],
            env=env,
            cwd=elsewhere,
            capture_output=True,
            text=True,
            check=True,
        )
    return float(done.stdout)


def wheel_kilobytes(tree):
    """Size of the wheel of a tree."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-q", "-w", folder, str(tree)]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        return wheel.stat().st_size / 1000.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=Path, default=HERE, help="sources (default: this version)")
    parser.add_argument("--as", dest="name", default="now", help="name of the row")
    parser.add_argument("--repeats", type=int, default=9)
    add_output(parser)
    args = parser.parse_args()
    row = {"version": args.name, "wheel": wheel_kilobytes(args.tree)}
    with tempfile.TemporaryDirectory() as compiled:
        for name, code in IMPORTS.items():
            both = [(code, args.tree, compiled), (BASE, args.tree, compiled)]
            # The first one compiles, as an installation does.
            pairs = [[seconds(*one) for one in both] for _ in range(args.repeats + 1)][1:]
            row[name] = statistics.median(a / b for a, b in pairs)
            row[f"{name}_seconds"] = statistics.median(a for a, _ in pairs)
    print(row)
    keep("footprint", [row], ["version"], args.output)


if __name__ == "__main__":
    main()
