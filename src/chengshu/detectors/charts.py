"""Control charts as formulas on arrays: one reading of every thing at once.

Readings are standardised: z = (reading - usual) / spread.
"""

from __future__ import annotations

import numpy as np

from chengshu.detectors.readings import Floats


def cusum(high: Floats, low: Floats, z: Floats, reference: float) -> tuple[Floats, Floats]:
    """The two sums of the tabular CUSUM after a reading; both are at least 0.

    high' = max(0, high + z - k), low' = max(0, low - z - k), with the reference value k, half the shift to be found quickly.
    Page, Continuous Inspection Schemes, Biometrika 41 (1954); tabular as in Montgomery, Introduction to Statistical Quality
    Control, section 9.1.
    """
    return np.maximum(0.0, high + z - reference), np.maximum(0.0, low - z - reference)


def ewma(before: Floats, z: Floats, weight: float) -> Floats:
    """The exponentially weighted moving average after a reading: weight * z + (1 - weight) * before.

    Roberts, Control Chart Tests Based on Geometric Moving Averages, Technometrics 1 (1959).
    """
    return weight * z + (1.0 - weight) * before


def ewma_spread(count: Floats, weight: float) -> Floats:
    """Standard deviation of the average after `count` readings of standard deviation 1 that do not depend on each other.

    The square root of w / (2 - w) * (1 - (1 - w)^(2 count)); Montgomery, section 9.2.
    """
    return np.sqrt(weight / (2.0 - weight) * (1.0 - (1.0 - weight) ** (2.0 * count)))
