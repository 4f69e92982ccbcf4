"""The architecture: who may import whom, where things live, what signatures look like."""

import ast
import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import moe_classic
from moe_classic.experts import EXPERTS, Expert
from moe_classic.gates import GATES, Gate
from moe_classic.solvers import SOLVERS

ROOT = Path(moe_classic.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
TESTS = Path(__file__).resolve().parents[1]
PUBLIC = [
    "moe_classic",
    *sorted(
        f"moe_classic.{path.parent.name}"
        for path in ROOT.glob("*/__init__.py")
        if not path.parent.name.startswith("_")
    ),
]

#: The storeys of the house, lowest first: every module and folder at the top of the package stands
#: on one. What a file imports lies on a lower storey, on its own, or in its own room.
STOREYS = [
    {"_typing", "_arguments", "_warnings", "_compat", "_sklearn", "_version"},
    {"_numerics", "_adapters"},
    {"_data", "_routing", "penalties", "preprocessing"},
    {"_engine", "_components", "routers", "_targets"},
    {"experts", "gates", "_nets"},
    {"_model"},
    {"_objectives", "_bayes", "predictive", "_results"},
    {"solvers", "metrics"},
    {"_training", "inference"},
    {"estimators", "datasets", "inspection", "pipeline"},
    {"model_selection", "persistence", "onnx", "_onnx_nets", "_onnx_pipelines", "_cli"},
    {"__init__", "__main__"},
]
STOREY = {room: level for level, rooms in enumerate(STOREYS) for room in rooms}

#: Tests that look at the whole package, and what they share.
WHOLE = {
    "contracts",
    "fuzz",
    "records",
    "test_benchmarks.py",
    "test_docs.py",
    "test_docstrings.py",
    "test_links.py",
    "test_notebooks.py",
    "test_packaging.py",
    "test_persistence.py",
}

#: Libraries that only some rooms may import.
ONLY_HERE = {"matplotlib": {"inspection", "_cli"}}


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


@cache
def parsed(path: Path) -> ast.Module:
    """Syntax tree of a file."""
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> list[tuple[str, bool]]:
    """Absolute names of what a file imports, and whether at its top level."""
    tree = parsed(path)
    package = path.relative_to(ROOT.parent).parts[:-1]
    found, outermost = [], set(tree.body)
    for node in ast.walk(tree):
        top = node in outermost
        if isinstance(node, ast.Import):
            found += [(alias.name, top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += [node.module] if node.module else []
            found += [(".".join([*base, alias.name]), top) for alias in node.names]
    return found


@cache
def modules_imported(path: Path, *, at_top: bool = False) -> set[Path]:
    """Files of the package from which a file imports."""
    files = set()
    for name, top in imported(path):
        while name not in NAMES and "." in name:
            name = name.rpartition(".")[0]
        if name in NAMES and (top or not at_top):
            files.add(NAMES[name])
    return files - {path}


def reached(path: Path) -> set[Path]:
    """Files that a file needs, directly or through others."""
    found, queue = set(), [path]
    while queue:
        for target in modules_imported(queue.pop()) - found:
            found.add(target)
            queue.append(target)
    return found


def folder(path: Path) -> Path:
    """Folder of a module; of a package's ``__init__`` the one above, where it stands as a face."""
    return path.parent.parent if path.name == "__init__.py" else path.parent


# ------------------------------------------------------------------------- rooms


def test_every_module_and_folder_stands_on_one_storey():
    assert sorted({room(path) for path in MODULES}) == sorted(STOREY)
    assert sum(len(rooms) for rooms in STOREYS) == len(STOREY)


def test_nothing_is_imported_from_a_higher_storey():
    higher = [
        f"{short(path)} imports {short(other)}"
        for path in MODULES
        for other in modules_imported(path)
        if STOREY[room(other)] > STOREY[room(path)]
    ]
    assert higher == []


def test_rooms_of_a_storey_do_not_need_each_other_in_a_circle():
    needs = {
        name: {room(o) for p in MODULES if room(p) == name for o in modules_imported(p)}
        for name in STOREY
    }
    for rooms in STOREYS:
        left = set(rooms)
        while left:
            free = {name for name in left if not needs[name] & left - {name}}
            assert free, f"{sorted(left)} need each other"
            left -= free


def test_other_rooms_are_entered_by_their_face():
    """A file imports from its own folder, from those around it, and from faces of others."""
    inside = [
        f"{short(path)} imports {short(other)}"
        for path in MODULES
        for other in modules_imported(path)
        if folder(other) not in {folder(path), path.parent, *folder(path).parents}
    ]
    assert inside == []


def private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


def test_paths_have_one_underscore_at_most():
    assert [p for p in map(short, MODULES) if sum(map(private, Path(p).parts)) > 1] == []


def mirrored(path: Path) -> bool:
    """Whether a file of tests stands where the module stands that it tests."""
    place = ROOT / path.parent.relative_to(TESTS)
    # One module may have several files of tests: test_select_path.py for _select.py.
    known = {p.name.removesuffix(".py").strip("_") for p in place.glob("*.py")} | {"init"}
    stem = path.stem.removeprefix("test_")
    return any(stem == k or stem.startswith(f"{k}_") for k in known)


def test_tests_mirror_the_tree():
    files = sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))
    mine = [path for path in files if path.parts[0] not in WHOLE]
    assert len(mine) > 100
    assert [str(path) for path in mine if not mirrored(TESTS / path)] == []


# ------------------------------------------------------------------------- who imports whom


def test_imports_have_no_cycles():
    done, walk = set(), []

    def visit(path: Path) -> None:
        assert path not in walk, f"cycle: {[short(p) for p in [*walk, path]]}"
        if path in done:
            return
        walk.append(path)
        # A package's own __init__ is loaded before its modules, whoever asks for them.
        for target in sorted(modules_imported(path, at_top=True) - {path.parent / "__init__.py"}):
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


def test_private_attributes_of_estimators_are_read_in_their_own_room():
    """Others take the record of a fit, which an estimator hands out when it is asked."""
    found = [
        f"{short(path)}:{node.lineno} {ast.unparse(node)}"
        for path in MODULES
        if room(path) != "estimators"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and re.fullmatch(r"_[a-z]\w*", node.attr)
        and isinstance(node.value, ast.Name)
        and node.value.id in {"estimator", "moe", "fit", "inner", "blend", "tree", "null", "other"}
    ]
    assert found == []


def test_estimators_have_few_classes_of_our_own():
    for name in moe_classic.__all__:
        item = getattr(moe_classic, name)
        if inspect.isclass(item):
            own = [c for c in item.__mro__ if c.__module__.startswith("moe_classic.")]
            assert len(own) <= 4, [c.__name__ for c in own]


def test_core_leaves_validation_to_the_estimators():
    core = {p for p in MODULES if STOREY[room(p)] < STOREY["solvers"]}
    # What stands inside as an expert or gate is validated where it is wrapped; users come in by
    # `_results.unwrap`.
    core -= {ROOT / "_adapters" / "fitting.py"}
    # What users see checks that it is fitted.
    core -= {ROOT / "_results" / "unwrap.py", ROOT / "_results" / "cards.py"}
    core -= set((ROOT / "preprocessing").glob("*.py"))
    names = {(short(p), n) for p in core for n, _ in imported(p)}
    assert {(p, n) for p, n in names if n.startswith("sklearn.utils.validation")} == set()


@pytest.mark.parametrize("library", ["matplotlib", "dask", "rich"])
def test_optional_or_slow_library_is_imported_inside_functions(library):
    for path in MODULES:
        tops = [n for n, top in imported(path) if top and n.split(".")[0] == library]
        assert not tops, short(path)


def loaded_after(code: str, *names: str) -> set[str]:
    """Which of some modules a fresh interpreter has loaded after a piece of code."""
    ask = f"import sys; {code}; print([n for n in {names} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return set(ast.literal_eval(done.stdout))


def test_import_of_the_package_loads_neither_matplotlib_nor_pandas():
    assert loaded_after("import moe_classic", "matplotlib", "pandas", "sklearn") == set()
    # The question can be answered with yes.
    assert loaded_after("import pandas, moe_classic", "matplotlib", "pandas") == {"pandas"}


def test_estimators_load_no_more_slow_libraries_than_scikit_learn_does():
    slow = ("matplotlib", "pandas", "onnx", "statsmodels", "dask")
    everything = "; ".join(f"import {name}" for name in PUBLIC)
    more = loaded_after(everything, *slow) - loaded_after("import sklearn.base", *slow)
    assert more <= {"pandas"}


def test_everything_public_is_found_though_it_is_loaded_late():
    code = "import moe_classic as m; assert set(m.__all__) <= set(dir(m)); m.predictive.Predictive"
    assert loaded_after(code, "moe_classic.predictive") == {"moe_classic.predictive"}
    with pytest.raises(AttributeError, match="no attribute 'MoERegresor'"):
        moe_classic.MoERegresor  # noqa: B018


# ------------------------------------------------------------------------- text


def test_files_that_run_first_are_there():
    text = (TESTS / "conftest.py").read_text()
    (longest,) = re.findall(r"^LONGEST = (\(.*?^\))$", text, flags=re.MULTILINE | re.DOTALL)
    assert set(ast.literal_eval(longest)) <= {path.name for path in TESTS.rglob("test_*.py")}


def test_modules_are_short():
    lines = {short(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: count for name, count in lines.items() if count > 600} == {}


def test_modules_do_not_assert():
    found = [
        f"{short(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Assert)
    ]
    assert found == []


def test_modules_do_not_print():
    # The command line prints: that is its output.
    found = [
        f"{short(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Name)
        and node.id == "print"
        and room(path) not in {"__main__", "_cli"}
    ]
    assert found == []


def test_modules_raise_and_catch_named_exceptions_only():
    found = []
    for path in MODULES:
        for node in ast.walk(parsed(path)):
            caught = node.type if isinstance(node, ast.ExceptHandler) else ast.Name("")
            raised = node.exc if isinstance(node, ast.Raise) else None
            raised = raised.func if isinstance(raised, ast.Call) else raised
            names = {getattr(caught, "id", ""), getattr(raised, "id", "")}
            if caught is None or names & {"Exception", "BaseException"}:
                found.append(f"{short(path)}:{node.lineno}")
    assert found == []


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


def component_files() -> list[Path]:
    """Files in which registered and other public components live."""
    classes = {*EXPERTS.values(), *GATES.values(), *SOLVERS.values()}
    for base in (Expert, Gate):
        package = importlib.import_module(base.__module__.rpartition(".")[0])
        classes |= {cls for cls in concrete(base) if cls.__name__ in package.__all__}
    return sorted({Path(inspect.getfile(cls)) for cls in classes})


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


@pytest.mark.parametrize("path", component_files(), ids=short)
def test_component_module_states_its_formula_and_its_source(path):
    docstring = ast.get_docstring(parsed(path)) or ""
    assert re.search(r"\b(19|20)\d\d\b", docstring), "no paper with its year"
    assert "::" in docstring, "no formula in a literal block"


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
    "order_by",
    "n_experts",
    "rng",
}


def optional_by_position(function, *, bound: bool) -> set[str]:
    """Optional arguments after the main one that may be given by position."""
    parameters = list(inspect.signature(function).parameters.values())[int(bound) :]
    return {
        p.name
        for p in parameters[1:]
        if (p.kind is p.POSITIONAL_OR_KEYWORD and p.default is not p.empty)
        or p.kind is p.VAR_POSITIONAL
    }


def public_items() -> list:
    """Public classes and functions."""
    items = {}
    for package in PUBLIC:
        module = importlib.import_module(package)
        for name in module.__all__:
            item = getattr(module, name)
            if inspect.isclass(item) or inspect.isfunction(item):
                items[f"{item.__module__}.{name}"] = item
    return [pytest.param(item, id=label) for label, item in items.items()]


@pytest.mark.parametrize("item", public_items())
def test_options_after_the_main_argument_are_keyword_only(item):
    if inspect.isfunction(item):
        found = {item.__name__: optional_by_position(item, bound=False)}
    else:
        found = {
            name: optional_by_position(
                method, bound=not isinstance(inspect.getattr_static(item, name), staticmethod)
            )
            for name, method in inspect.getmembers(item, inspect.isfunction)
            if method.__module__.startswith("moe_classic")
            and (not name.startswith("_") or name == "__init__")
        }
        if dataclasses.is_dataclass(item):
            found.pop("__init__", None)
    assert {name: bad - CONVENTIONAL for name, bad in found.items() if bad - CONVENTIONAL} == {}


COMPONENT_CLASSES = [c for c in (*EXPERTS.values(), *GATES.values()) if not needs_arguments(c)]


@pytest.mark.parametrize("cls", COMPONENT_CLASSES, ids=lambda cls: cls.__name__)
def test_component_constructor_stores_its_arguments_and_nothing_else(cls):
    component = cls()
    assert vars(component) == component.get_params(deep=False)
    parameters = list(inspect.signature(cls).parameters.values())
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[1:])
