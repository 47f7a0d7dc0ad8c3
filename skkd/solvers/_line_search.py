r"""Line search on the host, as a conversation: it proposes a step, is told what came of it.

A step t along a descent direction is accepted when it meets the strong Wolfe conditions

.. math::
    F(t) \le F(0) + c_1 t F'(0), \qquad |F'(t)| \le c_2 |F'(0)| ,

or, once differences of F drown in rounding, the approximate ones of Hager and Zhang (2005), which
look at slopes only. Trial steps come from cubic interpolation between the ends of a bracket.
"""

import math

__all__ = ["LineSearch", "Stagnation"]

_DECREASE = 1e-4
_CURVATURE = 0.9
_GROWTH = 4.0
_MAX_TRIALS = 25
_IDLE = 5


class LineSearch:
    """Search for a step; ask `step`, answer with :meth:`tell`, until `step` is None.

    Parameters
    ----------
    value : float
        Objective at the start.
    slope : float
        Derivative along the direction at the start; negative.
    first_step : float, default=1.0
        First step to try.
    precision : float, default=2.2e-16
        Relative rounding error of the objective.
    scale : float, default=0.0
        Objective at the solver's start. Where the objective has fallen below the square of
        `precision` times that, nothing but rounding is left of it.

    Attributes
    ----------
    step : float or None
        Step to try next; None when the search is over.
    found : float or None
        The accepted step.
    verdict : str
        After a search without success: "stagnated" if the objective cannot be lowered by more
        than rounding, "failed" otherwise.
    """

    def __init__(self, value, slope, first_step=1.0, *, precision=2.2e-16, scale=0.0):
        self.start = (0.0, value, slope)
        self.low = self.start
        self.high = None
        self.found = None
        self.trials = 0
        floor = max(100.0 * precision**2 * abs(scale), 1e-300)
        self.noise = 4.0 * precision * max(abs(value), floor)
        self.small = max(math.sqrt(precision) * abs(value), floor)
        self.step = first_step if slope < 0 and math.isfinite(slope) else None

    @property
    def verdict(self):
        """Why nothing was found."""
        return "stagnated" if abs(self.start[2]) <= self.small else "failed"

    def tell(self, value, slope):
        """Report the objective and its derivative at the last proposed step."""
        point = (self.step, value, slope)
        self.trials += 1
        _, value0, slope0 = self.start
        enough = value <= value0 + _DECREASE * self.step * slope0
        flat = abs(slope) <= -_CURVATURE * slope0
        nearly = value <= value0 + self.noise and slope <= (2 * _DECREASE - 1) * slope0
        if flat and (enough or nearly):
            self.found, self.step = self.step, None
            return
        usable = math.isfinite(value) and math.isfinite(slope)
        if not usable or not (enough or nearly) or slope >= 0:
            self.high = point
        else:
            self.low = point
        if self.trials == _MAX_TRIALS:
            self._give_up()
        else:
            self._propose()

    def _propose(self):
        if self.high is None:
            self.step = _GROWTH * self.low[0]
            return
        low, high = self.low[0], self.high[0]
        step = _cubic_minimum(self.low, self.high)
        width = high - low
        # Stay off the ends of the bracket, else it may shrink too slowly.
        self.step = min(max(step, low + 0.1 * width), high - 0.1 * width)
        if width <= 1e-14 * high:
            self._give_up()

    def _give_up(self):
        self.step = None


class Stagnation:
    """Notices that an iteration only stirs rounding errors.

    Values that no longer move say nothing, because gradients still fall by many digits after
    that; it is over when the gradient, too, has not reached a new low for some steps.
    """

    def __init__(self):
        self.lowest = math.inf
        self.idle = 0

    def after(self, search, value, square):
        """Report an accepted step: its search, the new value, the squared norm of the gradient."""
        moved = search.start[1] - value > search.noise
        if moved or square < 0.5 * self.lowest:
            self.idle = 0
        else:
            self.idle += 1
        self.lowest = min(self.lowest, square)
        return square == 0 or self.idle >= _IDLE


def _cubic_minimum(low, high):
    """Minimiser of the cubic through two points and slopes; the middle where there is none."""
    (a, fa, da), (b, fb, db) = low, high
    middle = 0.5 * (a + b)
    if not (math.isfinite(fb) and math.isfinite(db)):
        return a + 0.1 * (b - a)
    theta = da + db - 3.0 * (fb - fa) / (b - a)
    radicand = theta * theta - da * db
    if radicand < 0:
        return middle
    root = math.sqrt(radicand)
    denominator = db - da + 2.0 * root
    return b - (b - a) * (db + root - theta) / denominator if denominator else middle
