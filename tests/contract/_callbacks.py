"""Callbacks of users, importable so that they can be pickled."""


class StopAt:
    """Ask the fit to stop after some update."""

    def __init__(self, update):
        self.update = update

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        return context.task_name == "update" and context.task_id == self.update


class Recorder(StopAt):
    """Keep the coefficients and training score of every update's fitted estimator."""

    def __init__(self):
        super().__init__(update=-1)
        self.coefs = []
        self.scores = []

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        if context.task_name == "update":
            self.coefs.append(fitted_estimator.coef_)
            self.scores.append(fitted_estimator.score(X, y))
        return False
