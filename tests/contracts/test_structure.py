"""The architecture: who may import whom, where things live, what signatures look like."""

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest

import moe_classic
from moe_classic.experts import EXPERTS, Expert
from moe_classic.gates import GATES, Gate
from moe_classic.solvers import SOLVERS

ROOT = Path(moe_classic.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
PUBLIC = [
    "moe_classic",
    *sorted(
        f"moe_classic.{path.parent.name}"
        for path in ROOT.glob("*/__init__.py")
        if not path.parent.name.startswith("_")
    ),
]

#: Places that the architecture names, lowest first. Whatever a module imports, and whatever that
#: imports in turn, lies in a lower place or in its own.
ORDER = [
    {"_typing"},
    {"_linalg", "_stats"},
    {"_blocks", "_component", "_logit"},
    {"experts", "gates"},
    {"_model"},
    {"_objective"},
    {"solvers"},
    {"estimators"},
    {"inspection", "metrics", "model_selection"},
    {"__init__"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}

#: Libraries that only some rooms may import.
ONLY_HERE = {
    "matplotlib": {"inspection", "__main__"},
    "dask": {"_dask"},
    "sklearn.utils.validation": {"_refit", *(r for r in LEVEL if LEVEL[r] >= LEVEL["estimators"])},
}


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def room(path: Path) -> str:
    """Name of the top-level module or package in which a file lives."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def dotted(path: Path) -> str:
    """Absolute name of the module in a file."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


NAMES = {dotted(path): path for path in MODULES}


def imported(path: Path) -> list[tuple[str, bool]]:
    """Absolute names of what a file imports, and whether at its top level."""
    tree = ast.parse(path.read_text())
    package = path.relative_to(ROOT.parent).parts[:-1]
    found = []
    for node in ast.walk(tree):
        top = node in tree.body
        if isinstance(node, ast.Import):
            found += [(alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += [node.module] if node.module else []
            found += [(".".join([*base, alias.name]), top) for alias in node.names]
    return found


def modules_imported(path: Path, *, at_top: bool = False) -> set[Path]:
    """Files of the package from which a file imports."""
    files = set()
    for name, top in imported(path):
        while name not in NAMES and "." in name:
            name = name.rpartition(".")[0]
        if name in NAMES and (top or not at_top):
            files.add(NAMES[name])
    return files - {path}


DIRECT = {path: modules_imported(path) for path in MODULES}
AT_TOP = {path: modules_imported(path, at_top=True) for path in MODULES}


def reached(path: Path) -> set[Path]:
    """Files that a file needs, directly or through others."""
    found, queue = set(), [path]
    while queue:
        for target in DIRECT[queue.pop()] - found:
            found.add(target)
            queue.append(target)
    return found


# ------------------------------------------------------------------------- imports


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in LEVEL], ids=short)
def test_module_reaches_lower_places_only(path):
    mine = room(path)
    upwards = {
        short(other)
        for other in reached(path)
        if room(other) in LEVEL and room(other) != mine and LEVEL[room(other)] >= LEVEL[mine]
    }
    if mine in {"inspection", "metrics", "model_selection", "_blocks", "_component", "_logit"}:
        # These may use their neighbours; cycles are looked for below.
        upwards = {o for o in upwards if LEVEL[room(ROOT / o)] > LEVEL[mine]}
    assert not upwards


def test_imports_have_no_cycles():
    done, walk = set(), []

    def visit(path: Path) -> None:
        assert path not in walk, f"cycle: {[short(p) for p in [*walk, path]]}"
        if path in done:
            return
        walk.append(path)
        # A package's own __init__ is loaded before its modules, whoever asks for them.
        for target in sorted(AT_TOP[path] - {path.parent / "__init__.py"}):
            visit(target)
        walk.pop()
        done.add(path)

    for path in MODULES:
        visit(path)


@pytest.mark.parametrize("library", ONLY_HERE)
def test_library_is_imported_where_it_belongs(library):
    for path in MODULES:
        names = [n for n, _ in imported(path) if n == library or n.startswith(library + ".")]
        assert not names or room(path) in ONLY_HERE[library], short(path)


@pytest.mark.parametrize("library", ["matplotlib", "dask", "rich"])
def test_optional_or_slow_library_is_imported_inside_functions(library):
    for path in MODULES:
        tops = [n for n, top in imported(path) if top and n.split(".")[0] == library]
        assert not tops or room(path) == "_dask", short(path)


# ------------------------------------------------------------------------- text


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_module_is_short(path):
    assert len(path.read_text().splitlines()) <= 600


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_module_neither_prints_nor_asserts(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            # The command line prints: that is its output.
            assert node.func.id != "print" or room(path) == "__main__", f"line {node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_module_raises_only_named_exceptions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and node.exc is not None:
            call = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            assert getattr(call, "id", "") not in {"Exception", "BaseException"}, node.lineno
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}"


#: Shared machinery: no density, gate or step of its own.
BASES = {"__init__.py", "_base.py", "_location_scale.py"}
COMPONENTS = [
    p for p in MODULES if room(p) in {"experts", "gates", "solvers"} and p.name not in BASES
]


@pytest.mark.parametrize("path", COMPONENTS, ids=short)
def test_component_module_states_its_formula_and_its_source(path):
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert re.search(r"\(\d{4}\)", docstring), "no paper with its year"
    assert "::" in docstring, "no formula in a literal block"


# ------------------------------------------------------------------------- registries


def needs_arguments(cls: type) -> bool:
    """Whether a component cannot be made from its name alone."""
    parameters = inspect.signature(cls).parameters.values()
    return any(p.default is inspect.Parameter.empty for p in parameters)


def concrete(base: type) -> set[type]:
    """Concrete subclasses of ``base`` that the package defines, however deep."""
    found = set()
    for cls in base.__subclasses__():
        found |= concrete(cls)
        if not inspect.isabstract(cls) and cls.__module__.startswith("moe_classic."):
            found.add(cls)
    return found


@pytest.mark.parametrize(("base", "registry"), [(Expert, EXPERTS), (Gate, GATES)])
def test_every_public_component_is_registered_under_its_name(base, registry):
    package = importlib.import_module(base.__module__.rpartition(".")[0])
    for cls in concrete(base):
        # Working classes stand behind a public one; what needs an argument has no plain name.
        if cls.__name__ in package.__all__ and not needs_arguments(cls):
            assert registry.get(cls.name) is cls


@pytest.mark.parametrize(
    ("registry", "package"),
    [(EXPERTS, "experts"), (GATES, "gates"), (SOLVERS, "solvers")],
    ids=["experts", "gates", "solvers"],
)
def test_registered_names_are_snake_case_and_public(registry, package):
    module = importlib.import_module(f"moe_classic.{package}")
    for name, cls in registry.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert getattr(cls, "name", name) == name
        assert getattr(module, cls.__name__) is cls
        assert cls.__name__ in module.__all__


# ------------------------------------------------------------------------- public names


@pytest.mark.parametrize("package", PUBLIC)
def test_package_lists_its_names_sorted_and_importable(package):
    module = importlib.import_module(package)
    names = module.__all__
    assert all(isinstance(n, str) for n in names)
    assert len(set(names)) == len(names)
    # Constants, then classes, then functions, each in alphabetical order: what ruff asks for.
    kinds = [0 if n.isupper() else 1 if n[:1].isupper() else 2 for n in names]
    assert names == [n for _, n in sorted(zip(kinds, names, strict=True))]
    scope = {}
    exec(f"from {package} import *", scope)
    assert set(names) <= set(scope)


#: Optional arguments that may be given by position: scikit-learn's own signatures, and the
#: second half of what a method is about.
CONVENTIONAL = {
    "y",
    "sample_weight",
    "deep",
    "return_std",
    "coverage",
    "n_samples",
    "random_state",
    "n_test",
    "classes",
}


def public_callables():
    """Public functions, constructors and methods, and whether they have a self."""
    for package in PUBLIC:
        module = importlib.import_module(package)
        for name in module.__all__:
            item = getattr(module, name)
            label = f"{package}.{name}"
            if inspect.isclass(item):
                if not dataclasses.is_dataclass(item) and "__init__" in vars(item):
                    yield pytest.param(item.__init__, True, id=label)
                for attribute, method in inspect.getmembers(item, inspect.isfunction):
                    own = method.__module__.startswith("moe_classic")
                    if own and not attribute.startswith("_"):
                        bound = not isinstance(
                            inspect.getattr_static(item, attribute), staticmethod
                        )
                        yield pytest.param(method, bound, id=f"{label}.{attribute}")
            elif inspect.isfunction(item):
                yield pytest.param(item, False, id=label)


@pytest.mark.parametrize(("function", "bound"), list(public_callables()))
def test_options_after_the_main_argument_are_keyword_only(function, bound):
    parameters = list(inspect.signature(function).parameters.values())[int(bound) :]
    for parameter in parameters[1:]:
        by_position = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        optional = parameter.default is not inspect.Parameter.empty
        assert not (by_position and optional) or parameter.name in CONVENTIONAL, parameter.name
        assert parameter.kind is not inspect.Parameter.VAR_POSITIONAL


COMPONENT_CLASSES = [c for c in (*EXPERTS.values(), *GATES.values()) if not needs_arguments(c)]


@pytest.mark.parametrize("cls", COMPONENT_CLASSES, ids=lambda cls: cls.__name__)
def test_component_constructor_stores_its_arguments_and_nothing_else(cls):
    component = cls()
    assert vars(component) == component.get_params(deep=False)
    parameters = list(inspect.signature(cls).parameters.values())
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[1:])
