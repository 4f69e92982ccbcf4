"""scikit-learn's checks, each with a name that is made once."""

from functools import cache

import pytest
from sklearn.utils import estimator_checks


def parametrize_with_checks(estimators, **options):
    """As scikit-learn's, which writes an estimator out anew for each of its sixty checks."""
    mark = estimator_checks.parametrize_with_checks(estimators, **options).mark
    return pytest.mark.parametrize(*mark.args, ids=cache(mark.kwargs["ids"]))
