"""scikit-learn's own checks on nets with experts, behind five routers and for all of the kind."""

import pytest

from moe_classic import (
    DeepMoEClassifier,
    DeepMoERegressor,
    MixtureOfSoftmaxesClassifier,
    SparseMoEClassifier,
    SparseMoERegressor,
)

from ..checks import parametrize_with_checks

#: Rows are cut into batches, whatever they weigh.
FAILS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "mini-batches, capacities and rows held out count rows: a row of weight two stands in one "
        "batch, two rows in two"
    )
}
SMALL = {"n_experts": 4, "max_iter": 8}
ESTIMATORS = [
    *(
        # A hash knows nothing of the rows, and each expert has fewer of them to learn a score from.
        cls(
            router=router,
            expert_width=8,
            width=8,
            n_experts=4,
            max_iter=15 if router == "hash" else 8,
        )
        for router in ("top_k", "switch", "expert_choice", "soft", "hash")
        for cls in (SparseMoERegressor, SparseMoEClassifier)
    ),
    SparseMoERegressor(2, mix="densities", expert_width=8, width=None, max_iter=15),
    DeepMoERegressor(**SMALL),
    DeepMoEClassifier(**SMALL),
    MixtureOfSoftmaxesClassifier(**SMALL),
]


def of_rows(check):
    """Whether a check is another one once more, with rows that lie otherwise in memory."""
    return bool(getattr(check, "keywords", {}).keys() & {"readonly_memmap", "X_dtype"})


def checks():
    """Estimators and checks; how rows lie in memory is asked of the first of each class.

    They are read before any router is asked, by what all nets of a class share.
    """
    mark = parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: FAILS).mark
    names, pairs = mark.args
    kept, first = [], {}
    for pair in pairs:
        estimator, check = getattr(pair, "values", pair)
        leads = first.setdefault(type(estimator), repr(estimator)) == repr(estimator)
        if leads or not of_rows(check):
            kept.append(pair)
    return pytest.mark.parametrize(names, kept, **mark.kwargs)


# The checks fit a few rows of noise for a few epochs.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::moe_classic.routers.RoutingWarning")
@checks()
def test_net_passes_scikit_learns_check(estimator, check):
    check(estimator)
