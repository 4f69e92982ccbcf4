"""Kinds of target: which values they allow."""

import numpy as np
import pytest

from moe_classic._components.targets import TARGETS


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("real", [-1e9, 0.0, 2.5], [np.nan, np.inf]),
        ("positive", [1e-9, 2.5], [0.0, -1.0, np.inf]),
        ("count", [0.0, 1.0, 1e9], [-1.0, 0.5, np.nan]),
        ("proportion", [0.0, 0.25, 1.0], [-0.1, 1.1]),
        ("interval", [-1.0, 3.0], [np.nan]),
    ],
)
def test_values_are_allowed_or_named_in_the_error(kind, right, wrong):
    kind = TARGETS[kind]
    kind.check("SomeExpert", np.array([right]))
    for value in wrong:
        with pytest.raises(ValueError, match=f"SomeExpert describes a {kind.name} target"):
            kind.check("SomeExpert", np.array([[*right, value]]))


def test_classes_are_checked_where_they_are_counted():
    TARGETS["class"].check("SomeExpert", np.array(["a", "b"], dtype=object))
    assert TARGETS["class"].discrete
    assert TARGETS["count"].discrete
    assert not TARGETS["positive"].discrete
