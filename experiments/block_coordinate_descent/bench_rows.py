"""Which problems are rows of which table."""

from experiments.block_coordinate_descent.bench_problems import Spec

__all__ = ["QUICK", "ROWS"]

DENSE = ("200x5000", "1000x10000", "10000x200", "72x7129")
SPARSE = ("2000x50000 sparse", "20242x47236 text")
CLASSES = ("20000x100 iid", "20000x100 AR", "200x500", "2000x20000 sparse")
WIDE = ("200x5000", "10000x200", "1000x10000", "2000x50000 sparse")


def _grid(family, data, fractions, **options):
    return [Spec(family, name, fraction, **options) for name in data for fraction in fractions]


ROWS = {
    "lasso": _grid("lasso", DENSE + SPARSE, (0.1, 0.01)),
    "logistic": _grid("logistic", DENSE + SPARSE, (0.1, 0.02)),
    "group": _grid("group", ("100x5000 iid", "100x5000 AR"), (0.1, 0.02)),
    "enet": [
        spec
        for l1_ratio in (0.5, 0.9)
        for spec in _grid("enet", DENSE + SPARSE, (0.1, 0.01), l1_ratio=l1_ratio)
    ],
    "ridge": _grid("ridge", WIDE, (1.0,)),
    "l2-logistic": _grid("l2-logistic", [f"{name} 2 classes" for name in CLASSES], (1.0,)),
    "multinomial": _grid("multinomial", [f"{name} 10 classes" for name in CLASSES], (1.0,)),
    "path": [
        *_grid("lasso", WIDE, (0.01,), path=True),
        *_grid("enet", WIDE, (0.01,), l1_ratio=0.5, path=True),
        *_grid("logistic", WIDE, (0.02,), path=True),
    ],
    "intercept": [
        Spec("lasso", "1000x10000", 0.1, fit_intercept=True),
        Spec("lasso", "2000x50000 sparse", 0.01, fit_intercept=True),
        Spec("logistic", "10000x200", 0.02, fit_intercept=True),
        Spec("l2-logistic", "20000x100 iid 2 classes", 1.0, fit_intercept=True),
    ],
}

# A few small rows, so that a change can be looked at in two minutes.
QUICK = {
    "lasso": [Spec("lasso", "200x5000", 0.1), Spec("lasso", "200x5000", 0.01)],
    "logistic": [Spec("logistic", "200x5000", 0.1)],
    "group": [Spec("group", "100x5000 iid", 0.1)],
    "enet": [Spec("enet", "200x5000", 0.01, 0.5)],
    "ridge": [Spec("ridge", "200x5000", 1.0)],
    "l2-logistic": [Spec("l2-logistic", "200x500 2 classes", 1.0)],
    "multinomial": [Spec("multinomial", "200x500 10 classes", 1.0)],
    "path": [Spec("lasso", "200x5000", 0.01, path=True)],
    "intercept": [Spec("lasso", "200x500", 0.1, fit_intercept=True)],
}
