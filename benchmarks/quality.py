"""What is reached and at what price; every number is better when lower, and a NaN or a missed target is an error.

Whole runs are made once per commit in ``setup_cache``; the tracks read numbers off them.
"""

import statistics
import time

import numpy as np

from .autodiff import autodiff_gradient
from .common import BACKENDS, TASK, advance, module, problem, require_device, spec, trainer

# dev / TOLERANCE: what the package promises at float64; below FLOOR a deviation is rounding and counts as FLOOR
TOLERANCE, FLOOR = 1e-9, 1e-10
DEVIATION_OPTIMISERS = ("method1", "method2", "fromage", "adam")
DEVIATION_ITERATIONS, DEVIATION_SAMPLES = 50, 2048
COST_ROUNDS, COST_ITERATIONS = 15, 3


def _per_backend(measure):
    """``measure(backend)`` for every backend; the reason, as text, where this commit lacks it."""
    outcomes = {}
    for backend in BACKENDS:
        try:
            outcomes[backend] = measure(backend)
        except NotImplementedError as reason:
            outcomes[backend] = str(reason)
    return outcomes


def _available(outcome):
    if isinstance(outcome, str):
        raise NotImplementedError(outcome)
    return outcome


def _train(optimiser, iterations, backend):
    """RMS in N after every iteration of a run on the paper's network, and its evaluations per iteration."""
    made = trainer("E1", optimiser, backend, iterations=iterations)
    advance(made, iterations)
    trajectory = made.trajectory()
    start = problem("E1", spec(optimiser).normalisation)
    rms = [start.rms(loss) for loss in trajectory.loss]
    if not np.isfinite(rms).all():
        raise RuntimeError(f"{optimiser} on {backend}: the loss is not finite")
    # the first is that of the start; earlier commits count without a curve
    evaluations = (np.max(trajectory.loss_evaluations) - 1) / iterations
    return {"rms": rms, "evaluations": evaluations, "linear": _linear_rms(start)}


def _linear_rms(start):
    """Training RMS in N of linear least squares on the same normalised inputs."""
    slope, *_ = np.linalg.lstsq(start.x_train, start.y_train, rcond=None)
    residual = start.x_train @ slope - start.y_train
    return start.rms(np.square(residual).sum() / (2 * start.loss_divisor * len(residual)))


def _final_rms(run):
    target, final = module("normbench.problems.tasks").get(TASK).target_rms, run["rms"][-1]
    if not final < target:
        raise RuntimeError(f"training RMS {final} N misses the target {target} N")
    return final


def _rms_over_linear(run):
    ratio = run["rms"][-1] / run["linear"]
    if not ratio < 1:
        raise RuntimeError(f"training RMS {run['rms'][-1]} N is no better than the linear fit, {run['linear']} N")
    return ratio


def _steps_to_target(run):
    target = module("normbench.problems.tasks").get(TASK).target_rms
    steps = next((k for k, rms in enumerate(run["rms"]) if rms < target), None)
    if steps is None:
        raise RuntimeError(f"training RMS {run['rms'][-1]} N: the target {target} N was never reached")
    return steps


class Method1:
    """Method 1 for the paper's 200 iterations."""

    params = (BACKENDS,)
    param_names = ("backend",)

    def setup_cache(self):
        """One run per backend."""
        return _per_backend(lambda backend: _train("method1", 200, backend))

    def setup(self, runs, backend):
        """Skip a backend that the commit does not have."""
        self.run = _available(runs[backend])

    def track_train_rms(self, runs, backend):
        """Training RMS in N; it must meet the target of the task."""
        return _final_rms(self.run)

    def track_rms_over_linear(self, runs, backend):
        """The same in units of the linear predictor's; 1 or more is an error."""
        return _rms_over_linear(self.run)

    def track_steps_to_target(self, runs, backend):
        """Iterations until the training RMS is below the target of the task."""
        return _steps_to_target(self.run)

    def track_evaluations_per_iteration(self, runs, backend):
        """Passes of the loss over the data per iteration; 1 where no step is ever halved."""
        return self.run["evaluations"]

    setup_cache.timeout = 300
    track_train_rms.unit = "N"
    track_rms_over_linear.unit = "ratio"
    track_steps_to_target.unit = "iterations"
    track_evaluations_per_iteration.unit = "evaluations"


class Method2:
    """Method 2 for the paper's 3,000 iterations."""

    params = (BACKENDS,)
    param_names = ("backend",)

    def setup_cache(self):
        """One run per backend."""
        return _per_backend(lambda backend: _train("method2", 3000, backend))

    def setup(self, runs, backend):
        """Skip a backend that the commit does not have."""
        self.run = _available(runs[backend])

    def track_train_rms(self, runs, backend):
        """Training RMS in N; it must meet the target of the task."""
        return _final_rms(self.run)

    def track_rms_over_linear(self, runs, backend):
        """The same in units of the linear predictor's; 1 or more is an error."""
        return _rms_over_linear(self.run)

    def track_steps_to_target(self, runs, backend):
        """Iterations until the training RMS is below the target of the task."""
        return _steps_to_target(self.run)

    setup_cache.timeout = 600
    track_train_rms.unit = "N"
    track_rms_over_linear.unit = "ratio"
    track_steps_to_target.unit = "iterations"


def _float64_losses(optimiser, backend):
    made = trainer(
        "E1",
        optimiser,
        backend,
        dtype="float64",
        iterations=DEVIATION_ITERATIONS,
        samples=DEVIATION_SAMPLES,
    )
    advance(made, DEVIATION_ITERATIONS)
    trajectory = made.trajectory()
    return trajectory.loss, trajectory.weights


def _deviation(optimiser, backend):
    """Largest relative deviation from the reference, of any loss and of any layer's last weights."""
    losses, weights = _float64_losses(optimiser, backend)
    expected, expected_weights = _float64_losses(optimiser, "reference")
    parts = [np.abs(losses / expected - 1).max()]
    for w, e in zip(weights, expected_weights, strict=True):
        parts.append(np.linalg.norm(w - e) / np.linalg.norm(e))
    return float(np.max(parts))  # NaN stays NaN


class Deviation:
    """Deviation of each backend from the float64 reference after 50 iterations on 2,048 samples."""

    params = (DEVIATION_OPTIMISERS, BACKENDS)
    param_names = ("optimiser", "backend")
    unit = "relative"

    def setup(self, optimiser, backend):
        """Skip what the commit does not have."""
        require_device(backend, "cpu")
        for part in (backend, "reference"):
            module(f"normbench.{part}.benchmark.trainer")
        spec(optimiser)

    def track_deviation(self, optimiser, backend):
        """Rounding counts as 1e-10; above the promised 1e-9 it is an error."""
        deviation = _deviation(optimiser, backend)
        if not deviation < TOLERANCE:
            raise RuntimeError(f"{optimiser} on {backend} deviates from the reference by {deviation}, over {TOLERANCE}")
        return max(deviation, FLOOR)


class Cost:
    """Price of an iteration on the paper's network in plain autodiff gradients of the same backend and process."""

    params = (("method1", "method2", "adam"), BACKENDS)
    param_names = ("optimiser", "backend")
    unit = "gradients"

    def setup(self, optimiser, backend):
        """Compile both."""
        self.trainer = trainer("E1", optimiser, backend)
        start = problem("E1", spec(optimiser).normalisation)
        self.gradient = autodiff_gradient(backend, start.x_train, start.y_train, start.weights)
        advance(self.trainer, COST_ITERATIONS)
        self.gradient()

    def track_iteration_in_gradients(self, optimiser, backend):
        """Median of the ratios of neighbours in time, so that a machine that slows down slows both."""
        ratios = []
        for _ in range(COST_ROUNDS):
            gradients = _seconds(lambda: [self.gradient() for _ in range(COST_ITERATIONS)])
            ratios.append(_seconds(lambda: advance(self.trainer, COST_ITERATIONS)) / gradients)
        return statistics.median(ratios)


def _seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
