"""What all estimators share: documentation links, callbacks, and the way from logits to labels.

A linear classifier of skkd has ``coef_`` of shape (1, p) and one logit for two classes, (K, p)
and K logits otherwise. The mixins here turn those into decisions; subclasses only fit.
"""

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted, validate_data

from ._backend import (
    check_same_namespace,
    device_of,
    expit_pair,
    float_dtypes,
    input_namespace,
    is_numpy,
    log_softmax,
    move_to,
    namespace,
    softplus_pair,
)
from ._threads import affine_rows

__all__ = ["LinearClassifierMixin", "LogitClassifierMixin", "SkkdEstimator"]


class SkkdEstimator(CallbackSupportMixin, BaseEstimator):
    """Base of all estimators: links to the documentation, and scikit-learn callbacks."""

    _doc_link_module = "skkd"
    _doc_link_template = (
        "https://skkd.readthedocs.io/en/stable/generated/{estimator_module}.{estimator_name}.html"
    )

    def _watched(self, X, y, *, max_iter, task_name, attributes):
        """Begin a fit that callbacks may watch.

        Parameters
        ----------
        X, y : arrays
            The training data, handed to the callbacks.
        max_iter : int
            Most updates that will be made.
        task_name : str
            Name of one update in the callbacks' logs.
        attributes : callable
            ``attributes(params)`` gives the fitted attributes for parameters; called only when a
            callback asks for a fitted estimator.

        Returns
        -------
        on_iterate : callable or None
            For :func:`skkd.solvers.run`; None when nobody watches.
        end : callable
            To be called at the end of the fit.
        """
        context = self._init_callback_context(max_subtasks=max_iter)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)

        def end():
            context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})

        if not hasattr(self, "_skl_callbacks"):
            return None, end

        def on_iterate(iterate):
            update = context.subcontext(task_name=task_name)
            update.call_on_fit_task_begin(estimator=self, X=X, y=y)
            return update.call_on_fit_task_end(
                estimator=self,
                X=X,
                y=y,
                reconstruction_attributes=lambda: attributes(iterate.params),
            )

        return on_iterate, end


class LinearClassifierMixin(ClassifierMixin):
    """Decisions from ``coef_``, ``intercept_`` and ``classes_``."""

    _accept_sparse: tuple | bool = ("csr", "csc")

    def decision_function(self, X):
        """Logits of samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        logits : array of shape (n_samples,) or (n_samples, n_classes)
            For two classes the logit of ``classes_[1]``, else one per class.
        """
        Z = self._logits(X, "decision_function")
        return Z[:, 0] if Z.shape[1] == 1 else Z

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        labels : array of shape (n_samples,)
            Numeric labels in the array library of `X`, strings in NumPy.
        """
        xp, _, device = input_namespace(X)
        Z = self._logits(X, "predict")
        xp_z = namespace(Z)
        index = xp_z.argmax(Z, axis=1) if Z.shape[1] > 1 else xp_z.astype(Z[:, 0] > 0, xp_z.int64)
        xp_labels, _, device_labels = input_namespace(self.classes_)
        labels = xp_labels.take(
            self.classes_, move_to(index, xp=xp_labels, device=device_labels), axis=0
        )
        if getattr(labels.dtype, "kind", "i") in "OUST":
            return labels
        return move_to(labels, xp=xp, device=device)

    def _logits(self, X, method):
        X = self._checked(X, method)
        with np.errstate(invalid="ignore"):
            Z = self._linear(X)
        self._refuse_not_finite(X, Z)
        return Z

    def _linear(self, X):
        """Logits of rows that have been checked."""
        return linear_scores(X, self.coef_.T, self.intercept_)

    def _refuse_not_finite(self, X, Z):
        """Raise if X holds NaN or infinity: the logits show it, and are fewer than its entries."""
        if not sparse.issparse(X) and not bool(namespace(Z).all(namespace(Z).isfinite(Z))):
            assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")

    def _checked(self, X, method):
        """Rows to decide on, in the array library they were given in; dense ones may hold NaN."""
        check_is_fitted(self)
        check_same_namespace(X, self, attribute="coef_", method=method)
        xp, _, device = input_namespace(X)
        return validate_data(
            self,
            X,
            reset=False,
            accept_sparse=self._accept_sparse,
            dtype=float_dtypes(xp, device),
            ensure_all_finite=sparse.issparse(X),
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = True
        tags.input_tags.sparse = bool(self._accept_sparse)
        return tags


class LogitClassifierMixin(LinearClassifierMixin):
    """Adds probabilities: the logistic function of one logit, the softmax of several."""

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        probabilities : array of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        Z = self._logits(X, "predict_proba")
        xp = namespace(Z)
        if Z.shape[1] == 1:
            positive, negative = expit_pair(Z[:, 0])
            return xp.stack([negative, positive], axis=1)
        return xp.exp(log_softmax(Z))

    def predict_log_proba(self, X):
        """Logarithms of the probabilities, finite also where these round to 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        log_probabilities : array of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        Z = self._logits(X, "predict_log_proba")
        if Z.shape[1] == 1:
            up, down = softplus_pair(Z[:, 0])
            return namespace(Z).stack([-up, -down], axis=1)
        return log_softmax(Z)


def linear_scores(X, V, offset):
    """``X @ V + offset``, by blocks of rows where X is a dense NumPy array."""
    dense = is_numpy(X) and not sparse.issparse(X)
    return affine_rows(X, V, offset) if dense else X @ V + offset


def linear_attributes(W, fit_intercept, *, center):
    """``coef_`` and ``intercept_`` of parameters of shape (p + 1, k) or (p, k).

    Adding the same vector to the coefficients of every class changes no decision; with `center`
    that freedom is used up by making them sum to zero over the classes.
    """
    xp = namespace(W)
    if center and W.shape[1] > 1:
        W = W - xp.mean(W, axis=1, keepdims=True)
    if not fit_intercept:
        zeros = xp.zeros((W.shape[1],), dtype=W.dtype, device=device_of(W))
        return {"coef_": W.T, "intercept_": zeros}
    return {"coef_": W[:-1, :].T, "intercept_": W[-1, :]}
