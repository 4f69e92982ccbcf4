"""Stand-ins for what an older scikit-learn lacks, tested whichever is installed."""

import importlib
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

import moe_classic._compat as compat
from moe_classic import MoERegressor
from moe_classic._compat import NoCallbacks, undecorated


class Line(NoCallbacks, BaseEstimator):
    """An estimator that reports to nobody."""

    @undecorated
    def fit(self, X, y):
        root = self._init_callback_context(max_subtasks=None)
        root.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self.coef_ = np.linalg.lstsq(X, y, rcond=None)[0]
        self.stopped_ = root.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self


def test_stand_in_fits_and_is_never_asked_to_stop():
    X = np.arange(6.0).reshape(3, 2)
    line = clone(Line()).fit(X, X @ [1.0, -2.0])
    np.testing.assert_allclose(line.coef_, [1.0, -2.0], atol=1e-12)
    assert line.stopped_ is False


@pytest.mark.parametrize("given", [(), (print,)])
def test_stand_in_refuses_callbacks_and_names_the_version_that_takes_them(given):
    with pytest.raises(ImportError, match=r"needs scikit-learn >= 1\.9, and 1\.\d.*verbose=1"):
        Line().set_callbacks(*given)


def test_estimators_refuse_callbacks_exactly_where_there_are_none():
    if compat.HAS_CALLBACKS:
        assert isinstance(MoERegressor().set_callbacks(), MoERegressor)
    else:
        with pytest.raises(ImportError, match=r"scikit-learn >= 1\.9"):
            MoERegressor().set_callbacks()


def test_without_callbacks_in_scikit_learn_the_stand_ins_are_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    spec = importlib.util.find_spec("moe_classic._compat")
    old = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(old)
    assert not old.HAS_CALLBACKS
    assert (old.CallbackSupportMixin, old.with_callbacks) == (old.NoCallbacks, old.undecorated)
