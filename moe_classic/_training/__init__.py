"""From arguments and rows to the best parameters: components bound, starts, long runs."""

from .bound_model import BoundModel, bind
from .buffer import RowBuffer
from .ends import Trained
from .failures import check_fitted_experts, report_fits, warn_failure
from .finalists import StartRun
from .missing import check_marginal, check_seen, marginalizes
from .nested import from_portfolio
from .online import OnlineState, check_online, observe, step
from .problem import em_problem
from .progress import Monitor, monitors_of, no_monitor
from .resolve import by_name, resolve_experts, resolve_gate
from .starts import (
    CERTAINTY,
    STRATEGIES,
    StartData,
    draws_nothing,
    params_from_responsibilities,
    portfolio,
    several_from_responsibilities,
    soften,
)
from .stream_trainer import StreamTrainer
from .thresholds import best_cut
from .together import TOGETHER, StartSample
from .trainer import SHORT_PASSES, Trainer
from .wrap import (
    admits,
    check_sparse,
    components,
    described,
    describes_outputs,
    keeps_origin,
    keeps_target,
    labelled,
    learns_by_batches,
    refuse_blocks,
    with_data_names,
    wrapped_expert,
    wrapped_gate,
)

__all__ = [
    "CERTAINTY",
    "SHORT_PASSES",
    "STRATEGIES",
    "TOGETHER",
    "BoundModel",
    "Monitor",
    "OnlineState",
    "RowBuffer",
    "StartData",
    "StartRun",
    "StartSample",
    "StreamTrainer",
    "Trained",
    "Trainer",
    "admits",
    "best_cut",
    "bind",
    "by_name",
    "check_fitted_experts",
    "check_marginal",
    "check_online",
    "check_seen",
    "check_sparse",
    "components",
    "described",
    "describes_outputs",
    "draws_nothing",
    "em_problem",
    "from_portfolio",
    "keeps_origin",
    "keeps_target",
    "labelled",
    "learns_by_batches",
    "marginalizes",
    "monitors_of",
    "no_monitor",
    "observe",
    "params_from_responsibilities",
    "portfolio",
    "refuse_blocks",
    "report_fits",
    "resolve_experts",
    "resolve_gate",
    "several_from_responsibilities",
    "soften",
    "step",
    "warn_failure",
    "with_data_names",
    "wrapped_expert",
    "wrapped_gate",
]
