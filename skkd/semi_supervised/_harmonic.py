r"""Label propagation: labels that are harmonic on a graph of samples.

For weights :math:`w_{ij} \ge 0` between samples, the unlabelled rows of F minimise the energy

.. math::
    E(F) = \frac12 \sum_{i < j} w_{ij} \|F_i - F_j\|^2,

with the labelled rows held at their classes. At the minimum every unlabelled row is the weighted
mean of its neighbours, so that its entries are probabilities: those of the first label that a
random walk on the graph meets.

References
----------
Zhu, X., Ghahramani, Z., Lafferty, J., "Semi-supervised learning using Gaussian fields and harmonic
functions", ICML 2003.
Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131),
2022.
"""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend import input_namespace, is_numpy
from .._base import SkkdEstimator
from ..solvers import run
from ._affinity import check_affinity, knn_affinity, knn_index, new_affinity, rbf_affinity
from ._system import HarmonicSystem, fast_solver, iterates_of

__all__ = ["HarmonicLabelPropagation"]

# A tolerance below this asks for more than rounding allows.
_LEAST_TOL = 1e-13


class HarmonicLabelPropagation(ClassifierMixin, SkkdEstimator):
    r"""Label propagation with exact solvers, and message passing on trees of the graph.

    Minimises

    .. math::
        E(F) = \frac12 \sum_{i < j} w_{ij} \|F_i - F_j\|^2
        + \frac{\rho}{2} \sum_{i \in U} \|F_i - \pi\|^2

    over the rows of the unlabelled samples U, with the rows of the labelled ones held at their
    classes. It is the limit that :class:`sklearn.semi_supervised.LabelPropagation` iterates
    towards, for all classes jointly.

    Parameters
    ----------
    kernel : {"knn", "rbf", "precomputed"}, default="knn"
        Weights of the graph.

        - "knn": 1 where either of two samples is among the `n_neighbors` nearest of the other.
        - "rbf": :math:`\exp(-\gamma \|x_i - x_j\|^2)`, all pairs: a dense matrix.
        - "precomputed": X is the matrix of weights, dense or sparse, symmetric and not negative;
          to predict, X holds the weights of new samples to the training samples.
    n_neighbors : int >= 1, default=5
        Neighbours for ``kernel="knn"``.
    gamma : float >= 0, default=20.0
        Inverse squared width for ``kernel="rbf"``.
    ridge : float >= 0, default=0.0
        :math:`\rho`, the weight of an edge from each unlabelled sample to the class frequencies
        :math:`\pi` of the labelled ones. With 0, every component of the graph needs a label.
    solver : {"auto", "direct", "cg", "tree-bcd"}, default="auto"
        How the energy is minimised.

        - "direct": sparse or dense factors of the matrix.
        - "cg": conjugate gradients.
        - "tree-bcd": block coordinate descent, the blocks of which message passing minimises over
          exactly.
        - "auto": "direct", or "cg" for a sparse graph that is too wide for sparse factors.
    selection : {"greedy-tree", "tree-partition", "red-black", "random-tree"}, default="greedy-tree"
        Blocks of ``solver="tree-bcd"``: a forest of the samples that gain most, collected anew for
        each update; the forests, or the colours, of a fixed partition in turn; or random forests.
    max_iter : int >= 1, default=10000
        Most updates.
    tol : float >= 0, default=1e-6
        Largest error of a probability that is accepted. "tree-bcd" and "cg" stop when a bound of
        the error, which they prove on the way, is below it; a direct solution is accurate to 1e-8
        or more, or else warned about.
    random_state : int, RandomState instance or None, default=None
        For ``selection="random-tree"``.
    n_jobs : int or None, default=None
        Threads of the search for neighbours.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    label_distributions_ : ndarray of shape (n_samples, n_classes)
        Probabilities of the training samples; 0 and 1 for labelled ones.
    transduction_ : ndarray of shape (n_samples,)
        Labels of the training samples.
    n_iter_ : int
        Updates made, at least one; one for a direct solution.
    objective_path_ : ndarray of shape (n_updates + 1,)
        Energy at the start and after each update.
    solver_ : str
        The solver that was used.
    X_ : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Training samples, or the given weights.
    n_features_in_ : int
        Number of features seen in fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen in fit, if all are strings.

    Raises
    ------
    ValueError
        If no sample is labelled, a component of the graph has no label while ``ridge=0``, or given
        weights are negative or not symmetric.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` updates do not meet the tolerance.

    See Also
    --------
    sklearn.semi_supervised.LabelPropagation : Iterates towards the same solution.
    sklearn.semi_supervised.LabelSpreading : May change given labels, too.

    Notes
    -----
    Unlabelled samples have ``y = -1``, as in scikit-learn; in an array of strings, the text "-1".

    There is no `sample_weight`. A sample is a node, and what it weighs is in its edges. To count
    sample i as :math:`m_i` samples, pass the weights :math:`m_i m_j w_{ij}` as a precomputed
    kernel; for "precomputed" and "rbf" that is the same as repeating it, and zero the same as
    leaving an unlabelled sample out that has no label to lose. Repeated rows change who is nearest
    to whom, so for "knn" nothing equals repetition.

    References
    ----------
    .. [1] Zhu, X., Ghahramani, Z., Lafferty, J., "Semi-supervised learning using Gaussian fields
       and harmonic functions", ICML 2003.
    .. [2] Nutini, J., Laradji, I., Schmidt, M., "Let's make block coordinate descent converge
       faster: faster greedy rules, message-passing, active-set complexity, and superlinear
       convergence", JMLR 23(131), 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_moons
    >>> from skkd.semi_supervised import HarmonicLabelPropagation
    >>> X, y = make_moons(200, noise=0.1, random_state=0)
    >>> partly = np.where(np.arange(200) < 10, y, -1)
    >>> model = HarmonicLabelPropagation().fit(X, partly)
    >>> float((model.transduction_ == y).mean())
    0.99
    """

    _parameter_constraints: dict = {
        "kernel": [StrOptions({"knn", "rbf", "precomputed"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "ridge": [Interval(Real, 0, None, closed="left")],
        "solver": [StrOptions({"auto", "direct", "cg", "tree-bcd"})],
        "selection": [StrOptions({"greedy-tree", "tree-partition", "red-black", "random-tree"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        kernel="knn",
        *,
        n_neighbors=5,
        gamma=20.0,
        ridge=0.0,
        solver="auto",
        selection="greedy-tree",
        max_iter=10_000,
        tol=1e-6,
        random_state=None,
        n_jobs=None,
    ):
        self.kernel = kernel
        self.n_neighbors = n_neighbors
        self.gamma = gamma
        self.ridge = ridge
        self.solver = solver
        self.selection = selection
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training samples, labelled and unlabelled; for ``kernel="precomputed"`` the weights, of
            shape (n_samples, n_samples).
        y : array-like of shape (n_samples,)
            Labels, -1 for unlabelled samples.

        Returns
        -------
        self : HarmonicLabelPropagation
            The fitted estimator.
        """
        X, y = self._validate(X, y)
        labelled = _labelled(y)
        known = y[labelled]
        check_classification_targets(known)
        classes, codes = np.unique(known, return_inverse=True)
        F = np.zeros((len(y), len(classes)))
        F[np.flatnonzero(labelled), codes] = 1.0
        prior = F[labelled].mean(axis=0)
        W = self._graph(X)
        if not self.ridge:
            _check_every_component_has_a_label(W, labelled)
        system = HarmonicSystem.build(W, labelled, F, prior, self.ridge)
        start = np.tile(prior, (len(system.B), 1))
        self.X_, self.classes_ = X, classes
        self.solver_ = fast_solver(system) if self.solver == "auto" else self.solver
        self._solve(system, start, X, y, F, labelled)
        return self

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; for ``kernel="precomputed"`` their weights to the training samples.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Those of the largest probability. A training sample's own is in ``transduction_``.
        """
        winners = np.argmax(self.predict_proba(X), axis=1)
        return self.classes_[winners]

    def predict_proba(self, X):
        """Probabilities of the classes: the weighted mean of those of training samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples; for ``kernel="precomputed"`` their weights to the training samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``. With "knn" the mean over the `n_neighbors` nearest
            training samples.
        """
        check_is_fitted(self)
        _refuse_devices(X)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        index = getattr(self, "_index", None)
        weights = new_affinity(self.kernel, X, self.X_, index, self.gamma)
        dtype = self.label_distributions_.dtype
        return np.asarray(weights @ self.label_distributions_.astype(np.float64)).astype(dtype)

    def _validate(self, X, y):
        _refuse_devices(X)
        X, y = validate_data(self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32])
        return X, np.asarray(y)

    def _graph(self, X):
        """Weights among the training samples; prepares predictions, too."""
        if self.kernel == "precomputed":
            return check_affinity(X)
        if self.kernel == "rbf":
            return rbf_affinity(X, self.gamma)
        self._index = knn_index(X, self.n_neighbors, self.n_jobs)
        return knn_affinity(self._index)

    def _solve(self, system, start, X, y, F, labelled):
        """Run the solver and set the attributes that it gives."""

        def attributes(params):
            return self._distributions(params, F, labelled, X.dtype)

        on_iterate, end = self._watched(
            X, y, max_iter=self.max_iter, task_name="update", attributes=attributes
        )
        iterates = iterates_of(
            self.solver_,
            system,
            start,
            selection=self.selection,
            random_state=self.random_state,
        )
        path = []
        result = run(
            _recorded(iterates, path),
            max_iter=self.max_iter,
            tol=max(self.tol, _LEAST_TOL),
            criterion=_error,
            on_iterate=on_iterate,
            remedy=self._remedy,
        )
        for name, value in attributes(result.params).items():
            setattr(self, name, value)
        self.n_iter_ = result.n_iter
        self.objective_path_ = np.array(path)
        end()

    def _distributions(self, params, F, labelled, dtype):
        """``label_distributions_`` and ``transduction_`` for parameters of unlabelled samples.

        What an unfinished solve or rounding leaves outside of the simplex is put back on it.
        """
        distributions = F.copy()
        rows = np.clip(params, 0.0, 1.0)
        totals = rows.sum(axis=1, keepdims=True)
        distributions[~labelled] = np.divide(
            rows, totals, out=np.full_like(rows, 1.0 / F.shape[1]), where=totals > 0
        )
        winners = self.classes_[np.argmax(distributions, axis=1)]
        return {"label_distributions_": distributions.astype(dtype), "transduction_": winners}

    def _remedy(self, result):
        if self.solver_ == "direct":
            return (
                "the weights of the graph are so far apart that rounding spoils a direct solution; "
                "use a smaller gamma, ridge > 0, or solver='tree-bcd', whose blocks are solved "
                "without cancellation"
            )
        return (
            f"after {result.n_iter} updates of solver={self.solver_!r} the probabilities are only "
            f"known to within {result.iterate.error:.2g}, which is more than tol={self.tol}; "
            "increase max_iter or tol, use solver='direct', or bring the labels closer: more of "
            "them, a larger n_neighbors, or ridge > 0"
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags


def _labelled(y):
    """Which labels are given: those that are not -1, or the text "-1"."""
    if y.dtype.kind in "OUST":
        labelled = np.array([str(label) != "-1" for label in y.tolist()], dtype=bool)
    else:
        labelled = y != -1
    if not labelled.any():
        raise ValueError(
            f"y holds no label: all {len(y)} samples are marked as unlabelled (-1); label at least "
            "one sample of each class"
        )
    return labelled


def _check_every_component_has_a_label(W, labelled):
    # Converted here, because csgraph takes entries of a dense matrix below 1e-8 for zeros.
    n_components, component = sp.csgraph.connected_components(sp.csr_array(W), directed=False)
    without = np.setdiff1d(np.arange(n_components), component[labelled])
    if not len(without):
        return
    lost = np.flatnonzero(np.isin(component, without))
    raise ValueError(
        f"{len(without)} of the {n_components} components of the graph, with {len(lost)} of its "
        f"{len(labelled)} samples, hold no label, so that nothing determines theirs (sample "
        f"{lost[0]} is one); label a sample of each, connect the graph with a larger n_neighbors "
        "or a smaller gamma, or set ridge > 0, which gives them the class frequencies"
    )


def _refuse_devices(X):
    xp, _, _ = input_namespace(X)
    if not is_numpy(xp.asarray(0.0)):
        raise ValueError(
            f"HarmonicLabelPropagation runs on NumPy arrays and SciPy matrices, got "
            f"{type(X).__name__}; move X to the host, for example with numpy.asarray"
        )


def _recorded(iterates, path):
    """Pass iterates on and append their values to ``path``."""
    for iterate in iterates:
        path.append(iterate.value)
        yield iterate


def _error(iterate):
    """The criterion; infinite at the start, so that at least one update is made."""
    return np.asarray(iterate.error if iterate.index else np.inf)
