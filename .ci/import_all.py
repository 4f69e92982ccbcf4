"""Import every module of the installed package: nothing may need an extra."""

import importlib
import pkgutil
import sys

import moe_classic

sys.stdout.write(f"from {moe_classic.__path__[0]}\n")
names = [m.name for m in pkgutil.walk_packages(moe_classic.__path__, "moe_classic.")]
for name in names:
    # Running the command line is another thing than importing it.
    if not name.endswith("__main__"):
        importlib.import_module(name)
sys.stdout.write(f"{len(names)} modules\n")
