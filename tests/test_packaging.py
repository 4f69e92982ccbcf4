"""What the package says of itself agrees: versions it needs, versions it is tested with."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import moe_classic

TREE = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((TREE / "pyproject.toml").read_text("utf-8"))["project"]


def lowest(lines: list[str]) -> dict[str, Version]:
    """Lower bound of every requirement that has one."""
    bounds = {}
    for requirement in map(Requirement, lines):
        for part in requirement.specifier:
            if part.operator == ">=":
                bounds[requirement.name] = Version(part.version)
    return bounds


def pinned() -> dict[str, Version]:
    """Versions in ``.ci/oldest.txt``."""
    text = (TREE / ".ci" / "oldest.txt").read_text("utf-8")
    return {
        name: Version(version) for name, version in re.findall(r"^([\w-]+)==(\S+)$", text, re.M)
    }


def test_every_dependency_has_a_lower_bound_and_is_pinned_there():
    bounds = lowest(PROJECT["dependencies"])
    assert len(bounds) == len(PROJECT["dependencies"])
    assert bounds.items() <= pinned().items()


def test_what_else_is_pinned_is_the_lower_bound_of_an_extra():
    extras = lowest([line for lines in PROJECT["optional-dependencies"].values() for line in lines])
    rest = pinned().keys() - lowest(PROJECT["dependencies"]).keys()
    assert {name: pinned()[name] for name in rest} == {name: extras[name] for name in rest}


@pytest.mark.parametrize("name", PROJECT["optional-dependencies"])
def test_dependencies_of_extras_have_lower_bounds(name):
    lines = [r for r in PROJECT["optional-dependencies"][name] if not r.startswith("moe_classic[")]
    assert len(lowest(lines)) == len(lines)


def test_version_stands_in_one_place():
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", moe_classic.__version__)
    hatch = tomllib.loads((TREE / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]
    assert f'"{moe_classic.__version__}"' in (TREE / hatch["version"]["path"]).read_text("utf-8")


def test_changelog_tells_what_users_see_under_the_usual_heads():
    text = (TREE / "CHANGELOG.md").read_text("utf-8")
    heads = re.findall(r"^### (\w+)$", text, re.MULTILINE)
    assert set(heads) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for release in re.findall(r"^## \[(.*?)\]", text, re.MULTILINE):
        assert release == "Unreleased" or Version(release) <= Version(moe_classic.__version__)
