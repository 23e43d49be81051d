"""What a study would run and cost: cells, time, price, power. Runs nothing."""

from sweep.planning import speeds
from sweep.planning.accelerators import PEAK, UTILISATION, CardTime, check_card, time_on
from sweep.planning.calibrate import calibrate_speeds
from sweep.planning.forecast import Forecast, name
from sweep.planning.plan import Plan, Totals, plan_study
from sweep.planning.power import Design, designs, require_power
from sweep.planning.price import Bill, bill, read_cluster
from sweep.planning.reach import reach_line, words_from

__all__ = [
    "PEAK",
    "UTILISATION",
    "Bill",
    "CardTime",
    "Design",
    "Forecast",
    "Plan",
    "Totals",
    "bill",
    "calibrate_speeds",
    "check_card",
    "designs",
    "name",
    "plan_study",
    "reach_line",
    "read_cluster",
    "require_power",
    "speeds",
    "time_on",
    "words_from",
]
