"""From paired measurements of two commits to a verdict: the statistic of the gate, free of asv and of files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Verdict = Literal["slower", "faster", "worse", "better", "unchanged", "undecided", "broken", "repaired"]

CONFIDENCE = 0.99
MARGIN = 0.03  # of a time; instruction counts of identical code agree to a tenth of this


@dataclass(frozen=True)
class Comparison:
    """One benchmark on two commits.

    Attributes
    ----------
    benchmark : str
        asv's name with its parameters.
    unit : str
    base, head : float
        Median of a time over the rounds; the value of anything else; NaN where the benchmark failed.
    ratio, low, high : float
        head / base and its interval; for a number that has no noise all three are equal.
    verdict : str
        ``slower`` or ``faster`` for times, ``worse`` or ``better`` for tracked numbers, ``unchanged`` where the
        interval lies within the margin, ``undecided`` where it does not, ``broken`` where only ``head`` fails,
        ``repaired`` where only ``base`` does.
    """

    benchmark: str
    unit: str
    base: float
    head: float
    ratio: float
    low: float
    high: float
    verdict: Verdict

    @property
    def alarming(self) -> bool:
        """Whether a change like this must not pass, if it is confirmed."""
        return self.verdict in ("slower", "worse", "broken")


def compare_times(benchmark: str, base: Sequence[Sequence[float]], head: Sequence[Sequence[float]]) -> Comparison:
    """Compare times that were measured in turns.

    d_r = log median(head_r) - log median(base_r) for every round r; the interval is Student's for the mean of d.
    Rounds of the two commits stand next to each other in time, so that a slow spell of the machine hits both.

    Parameters
    ----------
    benchmark : str
    base, head : sequence of rounds, each a sequence of seconds
        The same number of rounds, at least two.

    Raises
    ------
    ValueError
        For rounds that cannot be paired.
    """
    if len(base) != len(head) or len(base) < 2:
        raise ValueError(f"{benchmark} needs two or more rounds of each commit; got {len(base)=}, {len(head)=}")
    logs = [np.log([np.median(samples) for samples in rounds]) for rounds in (base, head)]
    differences = logs[1] - logs[0]
    centre, error = differences.mean(), stats.sem(differences)
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(differences) - 1) * error
    low, high = float(np.exp(centre - reach)), float(np.exp(centre + reach))
    verdict: Verdict = "undecided"
    if low > 1 + MARGIN:
        verdict = "slower"
    elif high < 1 / (1 + MARGIN):
        verdict = "faster"
    elif low > 1 / (1 + MARGIN) and high < 1 + MARGIN:
        verdict = "unchanged"
    before, after = (float(np.exp(np.median(log))) for log in logs)
    return Comparison(benchmark, "s", before, after, float(np.exp(centre)), low, high, verdict)


def compare_values(benchmark: str, unit: str, base: float, head: float, *, threshold: float) -> Comparison:
    """Compare tracked numbers, lower being better: worse beyond ``threshold``, a relative difference.

    A NaN stands for a benchmark that failed on that commit, which for a tracked quality means a missed target.
    """
    if np.isnan(base) or np.isnan(head):
        verdict: Verdict = "repaired" if np.isnan(base) and not np.isnan(head) else "broken"
        if np.isnan(base) and np.isnan(head):
            verdict = "undecided"
        return Comparison(benchmark, unit, base, head, np.nan, np.nan, np.nan, verdict)
    ratio = head / base if base else (1.0 if head == base else np.inf)
    verdict = "worse" if ratio > 1 + threshold else "better" if ratio < 1 / (1 + threshold) else "unchanged"
    return Comparison(benchmark, unit, base, head, ratio, ratio, ratio, verdict)
