"""What both estimators share: parameters, one fit, predictions in float64 NumPy, the proof, and the ways out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Self
from warnings import warn

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from normbench import backends, exports
from normbench.certificates import verify
from normbench.errors import InvalidArgumentError
from normbench.estimators import columns, files, input_maps
from normbench.estimators.batches import AUTOMATIC
from normbench.estimators.dead import DEAD, DeadNetworkWarning
from normbench.estimators.samples import Samples, digest
from normbench.estimators.settings import Settings, seed_of
from normbench.estimators.training import Fit
from normbench.paths import as_path


class LipschitzEstimator(BaseEstimator):
    """A network without biases behind an input map, with a proven bound.

    Attributes
    ----------
    lipschitz_bound_ : float
        The smallest bound that was proven, at most ``lipschitz``.
    certificate_ : Certificate
        Its proof, which :meth:`verify` checks.
    network_ : StoredNetwork
        Weights, biases and scales, float64.
    loss_curve_ : array, shape (n_iter_ + 1,)
        Loss of the training set, with its weights, before each iteration and after the last. With ``batch_size`` the
        first is that of a mini-batch, and each other the mean over those of a pass, each after its own step.
    validation_loss_curve_ : array, shape (n_iter_ + 1,), or None
        The same of what was held out; the network is that of the smallest. None without ``early_stopping``.
    n_iter_ : int
    provenance_ : dict of str to str
        What made it: versions, seed, and a SHA-256 of the table.
    n_features_in_, feature_names_in_
        As scikit-learn has them.
    """

    def __init__(
        self,
        lipschitz: float = 1.0,
        *,
        hidden: tuple[int, ...] = (25, 30, 15),
        inputs: str = "affine",
        optimiser: str = AUTOMATIC,
        hyperparameters: dict[str, Any] | None = None,
        parametrisation: str | None = None,
        backend: str | None = None,
        dtype: str = "float32",
        max_iter: int = 1000,
        batch_size: int | None = None,
        tol: float = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: Any = 0,
    ) -> None:
        """Keep the parameters, which :meth:`fit` checks.

        Parameters
        ----------
        lipschitz : float
            L in ||f(x) - f(x')|| <= L ||x - x'|| for all x and x', in units of the outputs per unit of X, as they stand
            in the table. No iterate exceeds it. Name it; the default is there for the tools of scikit-learn.
        hidden : sequence of int
            Widths of the hidden layers; empty for the best linear map with the bound.
        inputs : str
            "affine": (X - mean) / scale with one scale for all columns, and biases in the first layer. "standardised":
            with a scale for each column; ``lipschitz`` and all bounds are then per standard deviation, and
            ``network_.over_inputs(bound)`` is one per unit of X. "unit_norm": the normalisation of arXiv 2312.10672,
            x / ||x|| without biases; the bound is then per unit of x / ||x||.
        optimiser, parametrisation : str
            Keys, see ``normbench list``; "automatic" is geodesic_lbfgs, and online_lbfgs with ``batch_size``; None
            for the optimiser's first parametrisation that keeps a bound.
        hyperparameters : mapping or None
            Of the optimiser, where they are not to be at their defaults.
        backend : str or None
            What trains, see ``normbench list backends``; None for the first that is installed. Predictions need none.
        dtype : str
            Of the training, "float32" or "float64". What comes of it is float64.
        max_iter : int
            Most iterations, of one gradient of the whole table or a few more; with ``batch_size`` most passes over it.
        batch_size : int or None
            Rows of a mini-batch, drawn anew in every pass without an incomplete last one; None for all rows in every
            step. Optimisers that search along a line are refused. An iteration, here and below, is a pass.
        tol : float
            Training ends where ten iterations lower the loss by at most this part of what is left of it and of what it
            has fallen by, or the root of the loss is this part of what it was at first; 0 for all of ``max_iter``.
        early_stopping : bool
            Hold a part of the table out of the training, end where its loss no longer falls, and keep the network of
            the iteration in which it was smallest. Rows are drawn at random, by class, or groups that ``fit`` is given.
        validation_fraction : float
            The part that is held out, between 0 and 1.
        n_iter_no_change : int
            Training ends where so many iterations lower the loss of the held-out part by at most ``tol``, as above.
        random_state : int, RandomState or None
            Seeds the initial weights and what is held out. With the default, 0, the same table gives the same network
            on the same machine, however it lies in memory.
        """
        self.lipschitz = lipschitz
        self.hidden = hidden
        self.inputs = inputs
        self.optimiser = optimiser
        self.hyperparameters = hyperparameters
        self.parametrisation = parametrisation
        self.backend = backend
        self.dtype = dtype
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    def _settings(self) -> Settings:
        """The parameters, checked."""
        seed = seed_of(self.random_state)
        if not isinstance(self.hidden, tuple | list):
            raise InvalidArgumentError(f"hidden must be a tuple of widths; got {self.hidden!r}. Example: (25, 30, 15).")
        given = self.get_params(deep=False) | {"hidden": tuple(self.hidden), "seed": seed}
        return Settings(**{f.name: given[f.name] for f in fields(Settings)})

    @contextmanager
    def _fitting(self) -> Iterator[None]:
        """A fit: what an earlier one left is forgotten, and what this one has set, too, where it does not end well."""
        self._forget()
        try:
            yield
        except BaseException:  # an interruption as well: half a network would predict
            self._forget()
            raise

    def _forget(self) -> None:
        for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
            delattr(self, name)

    def _keep(self, fit: Fit, settings: Settings, table: Samples) -> Self:
        """Set what a fit leaves; warn where ``max_iter`` ended it, or the network says nothing."""
        self._fitted_with = self.get_params(deep=False)
        self.network_ = fit.network
        self.certificate_ = fit.certificate
        self.lipschitz_bound_ = fit.certificate.bound
        self.loss_curve_ = fit.losses
        self.validation_loss_curve_ = fit.held_out if len(fit.held_out) else None
        self.n_iter_ = len(fit.losses) - 1
        self.provenance_ = settings.provenance() | {"samples": str(len(table.x)), "data_sha256": digest(table)}
        if not fit.converged:
            warn(
                f"the loss still falls after max_iter={self.max_iter} iterations; the bound holds all the same. Raise "
                "max_iter or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if fit.dead:
            warn(DEAD.format("hidden", "random_state"), DeadNetworkWarning, stacklevel=3)
        return self

    def _outputs(self, X: Any) -> np.ndarray:
        """What the network gives, float64, shape (samples, outputs)."""
        checked = self._checked(X)
        return input_maps.outputs(self.network_, checked)

    def _checked(self, X: Any) -> np.ndarray:
        """A table of the columns that were fitted, float64."""
        check_is_fitted(self)
        columns.check("X", X)
        return validate_data(self, X, dtype=np.float64, order="C", reset=False)

    def verify(self) -> None:
        """Return if the certificate proves ``lipschitz_bound_`` for the weights as they are; raise if not.

        Raises
        ------
        CertificateError
            With the reason.
        """
        check_is_fitted(self)
        verify(
            self.network_.weights,
            self.certificate_,
            activation=self.network_.activation,
            output_scale=self.network_.gain_scale,
        )

    def save(self, path: str | Path) -> None:
        """Write weights, scales, certificate, parameters and provenance into an NPZ file, without pickle.

        ``normbench certify FILE`` checks it; :meth:`load` is the way back.

        Raises
        ------
        OutputError
            If it cannot be written.
        InvalidArgumentError
            If a parameter or a class is neither number nor text, or a parameter was changed since the fit.
        """
        check_is_fitted(self)
        files.save(self, as_path("path", path))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The estimator that :meth:`save` wrote; nothing in the file is run, and :meth:`verify` is asked first.

        Raises
        ------
        DataError
            If the file holds no estimator of this class.
        CertificateError
            If its certificate does not hold.
        """
        return files.load(cls, as_path("path", path))

    def to_torch(self, dtype: str = "float32") -> Any:
        """A ``torch.nn.Sequential`` of linear layers and ReLUs with both maps inside.

        It needs no normbench, but for inputs "unit_norm", whose module is of :mod:`normbench.torch.plain_network`. It
        gives what the network gives: predictions of a regressor, shape (samples, outputs); logits of a classifier.

        Parameters
        ----------
        dtype : str
            "float32", where outputs agree to about 1e-6 of their size, or "float64".

        Raises
        ------
        BackendUnavailableError
            If torch is not installed.
        CertificateError
            If the dtype does not hold the numbers.
        """
        check_is_fitted(self)
        backends.usable("torch")
        from normbench.torch.plain_network import module

        return module(self.network_, dtype)

    def to_jax(self, dtype: str = "float32") -> tuple[Any, Any]:
        """``apply, params``: a pure function for jit, vmap and grad, and the pytree of its weights.

        ``apply(params, x)`` is what the network gives for x, shape (..., columns): predictions of a regressor or logits
        of a classifier, shape (..., outputs). ``params`` is a list of ``{"weight": ..., "bias": ...}``, one a layer;
        the maps of inputs and outputs are constants of ``apply``.

        Parameters
        ----------
        dtype : str
            "float32", or "float64" where JAX is set to it.

        Raises
        ------
        BackendUnavailableError
            If JAX is not installed.
        InvalidArgumentError
            If there is no such dtype, or JAX is not set to float64.
        """
        check_is_fitted(self)
        backends.usable("jax")
        from normbench.jax.plain_network import function

        return function(self.network_, dtype)

    def to_onnx(self, path: str | Path | None = None, *, dtype: str = "float32", opset: int = exports.OPSET) -> Any:
        """An ``onnx.ModelProto`` of the network, written to ``path`` if there is one.

        The input is ``X``, shape (samples, columns). Outputs are ``y``, shape (samples, outputs), of a regressor;
        ``logits``, shape (samples, classes), and ``label``, shape (samples,), of a classifier. The metadata have the
        proven bound.

        Parameters and errors as :func:`normbench.exports.to_onnx` and :func:`normbench.exports.exported`.
        """
        return exports.to_onnx(self._exported(dtype), path, opset=opset)

    def to_c(self, path: str | Path, dtype: str = "float32") -> tuple[Path, Path]:
        """Write the network as C99 without dependencies: ``NAME.c``, which is ``path``, and ``NAME.h``.

        Functions are ``NAME_predict`` of a regressor; ``NAME_logits``, ``NAME_predict`` and ``NAME_certified_radius``
        of a classifier. They allocate nothing and keep nothing.

        Parameters and errors as :func:`normbench.exports.to_c` and :func:`normbench.exports.exported`.

        Returns
        -------
        pair of Path
            Source and header.
        """
        return exports.to_c(self._exported(dtype), path)

    def _exported(self, dtype: str) -> exports.Exported:
        """What is written, its bound proven for its own numbers."""
        check_is_fitted(self)
        return exports.exported(files.stored(self), dtype)
