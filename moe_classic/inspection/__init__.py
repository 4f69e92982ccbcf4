"""Pictures of fitted mixtures of experts, in the manner of scikit-learn's displays; effects."""

from ._calibration import CalibrationDisplay
from ._coefficient import CoefficientDisplay
from ._convergence import ConvergenceDisplay
from ._effects import marginal_effects, predictions_at
from ._experts import ExpertsDisplay
from ._fan import FanDisplay
from ._gate import GateDisplay
from ._likelihood_ratio import LikelihoodRatioDisplay
from ._load import LoadDisplay
from ._membership import assignments
from ._partition import PartitionDisplay
from ._path import PathDisplay
from ._report import Report, report
from ._residual import ResidualDisplay
from ._responsibility import ResponsibilityDisplay
from ._routing import RoutingDisplay
from ._selection import SelectionDisplay
from ._sensitivity import sensitivity
from ._sensitivity_display import SensitivityDisplay
from ._sensitivity_tables import Sensitivity
from ._style import DATA_COLOR as DATA_COLOR
from ._style import MIXTURE_COLOR as MIXTURE_COLOR
from ._style import legend_above as legend_above
from ._style import point_look as point_look
from ._style import tidy as tidy
from ._tree import TreeDisplay

__all__ = [
    "CalibrationDisplay",
    "CoefficientDisplay",
    "ConvergenceDisplay",
    "ExpertsDisplay",
    "FanDisplay",
    "GateDisplay",
    "LikelihoodRatioDisplay",
    "LoadDisplay",
    "PartitionDisplay",
    "PathDisplay",
    "Report",
    "ResidualDisplay",
    "ResponsibilityDisplay",
    "RoutingDisplay",
    "SelectionDisplay",
    "Sensitivity",
    "SensitivityDisplay",
    "TreeDisplay",
    "assignments",
    "marginal_effects",
    "predictions_at",
    "report",
    "sensitivity",
]
