"""Harmonic labels: what they are, that every solver finds them, and how new samples get theirs."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.datasets import load_iris, make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelPropagation

from skkd.semi_supervised import HarmonicLabelPropagation
from tests.solvers.test_forests import rational_solution

SELECTIONS = ("greedy-tree", "tree-partition", "red-black", "random-tree")
SOLVERS = [
    {"solver": "direct"},
    {"solver": "cg"},
    *({"solver": "tree-bcd", "selection": selection} for selection in SELECTIONS),
]
IDS = [" ".join(options.values()) for options in SOLVERS]


def blobs(n=90, n_classes=3, n_labelled=15, seed=0):
    """Overlapping classes of which the first rows are labelled."""
    X, y = make_blobs(n, 2, centers=n_classes, cluster_std=3.0, random_state=seed)
    return X, y, np.where(np.arange(n) < n_labelled, y, -1)


def moons(n=120, n_labelled=12, seed=0):
    X, y = make_moons(n, noise=0.1, random_state=seed)
    return X, y, np.where(np.arange(n) < n_labelled, y, -1)


def knn_weights(X, n_neighbors=5):
    """Symmetric neighbour graph by its definition."""
    distances = np.linalg.norm(X[:, None] - X[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    W = np.zeros(distances.shape)
    nearest = np.argsort(distances, axis=1)[:, :n_neighbors]
    np.put_along_axis(W, nearest, 1.0, axis=1)
    return np.maximum(W, W.T)


def random_weights(n, seed, density=0.15):
    rng = np.random.default_rng(seed)
    W = np.triu(rng.uniform(0.1, 2, (n, n)) * (rng.uniform(size=(n, n)) < density), 1)
    W[np.arange(n - 1), np.arange(1, n)] = 1.0  # connected
    return W + W.T


def harmonic(W, y):
    """Distributions by a dense solve."""
    labelled = y != -1
    F = (y[:, None] == np.unique(y[labelled])).astype(float)
    L = np.diag(W.sum(axis=1)) - W
    F[~labelled] = np.linalg.solve(
        L[np.ix_(~labelled, ~labelled)], W[np.ix_(~labelled, labelled)] @ F[labelled]
    )
    return F


def energy(W, F):
    return 0.25 * sum(
        W[i, j] * ((F[i] - F[j]) ** 2).sum() for i, j in zip(*np.nonzero(W), strict=True)
    )


class TestSolution:
    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    @pytest.mark.parametrize("kernel", ["knn", "rbf", "precomputed"])
    def test_equals_a_dense_solve(self, kernel, options):
        X, _, y = blobs(60)
        W = {
            "knn": knn_weights(X),
            "rbf": rbf_kernel(X, gamma=0.3),
            "precomputed": random_weights(60, 1),
        }[kernel]
        model = HarmonicLabelPropagation(
            kernel, gamma=0.3, tol=1e-10, max_iter=10**6, random_state=0, **options
        )
        model.fit(W if kernel == "precomputed" else X, y)
        np.fill_diagonal(W, 0.0)
        assert np.abs(model.label_distributions_ - harmonic(W, y)).max() <= 1e-9
        assert model.solver_ == options["solver"]

    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_all_agree_on_two_moons(self, options):
        X, _, y = moons()
        reference = HarmonicLabelPropagation(solver="direct").fit(X, y)
        model = HarmonicLabelPropagation(tol=1e-8, random_state=0, **options).fit(X, y)
        difference = model.label_distributions_ - reference.label_distributions_
        assert np.abs(difference).max() <= 1e-8
        assert np.array_equal(model.transduction_, reference.transduction_)

    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_unlabelled_rows_are_means_of_their_neighbours(self, options):
        X, _, y = blobs()
        model = HarmonicLabelPropagation(tol=1e-11, random_state=0, **options).fit(X, y)
        W, F = knn_weights(X), model.label_distributions_
        means = W @ F / W.sum(axis=1, keepdims=True)
        assert np.abs(F - means)[y == -1].max() <= 1e-10
        assert np.array_equal(F[y != -1], (y[y != -1, None] == model.classes_).astype(float))

    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_rows_are_distributions_even_of_unfinished_solves(self, options):
        X, _, y = blobs()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = HarmonicLabelPropagation(max_iter=3, random_state=0, **options).fit(X, y)
        F = model.label_distributions_
        assert F.min() >= 0 and F.max() <= 1
        assert np.abs(F.sum(axis=1) - 1).max() <= 1e-14

    def test_is_the_chance_of_meeting_a_class_first(self):
        """On a path between two labels: the gambler's ruin."""
        W = sp.diags_array([np.ones(10), np.ones(10)], offsets=[-1, 1])
        y = np.r_[0, -np.ones(9, dtype=int), 1]
        model = HarmonicLabelPropagation("precomputed").fit(sp.csr_array(W), y)
        assert model.label_distributions_[:, 1] == pytest.approx(np.arange(11) / 10)

    @pytest.mark.parametrize("kernel", ["knn", "rbf"])
    def test_is_the_limit_of_scikit_learns(self, kernel):
        X, _, y = moons(100, 20)
        if kernel == "rbf":
            theirs = LabelPropagation("rbf", gamma=20, tol=1e-13, max_iter=10**6)
        else:  # theirs is directed; given ours, which has no diagonal, it iterates the same means
            theirs = LabelPropagation(lambda A, B: knn_weights(A), tol=1e-13, max_iter=10**6)
        theirs.fit(X, y)
        ours = HarmonicLabelPropagation(kernel).fit(X, y)
        assert np.abs(ours.label_distributions_ - theirs.label_distributions_).max() <= 1e-9
        assert np.array_equal(ours.transduction_, theirs.transduction_)
        if kernel == "rbf":
            new = X + 0.03
            assert np.abs(ours.predict_proba(new) - theirs.predict_proba(new)).max() <= 1e-9

    def test_classifies_two_moons_from_a_few_labels(self):
        X, truth = make_moons(400, noise=0.08, random_state=1)
        y = np.full(400, -1)
        chosen = [*np.flatnonzero(truth == 0)[:4], *np.flatnonzero(truth == 1)[:4]]
        y[chosen] = truth[chosen]
        model = HarmonicLabelPropagation().fit(X, y)
        assert (model.transduction_ == truth).mean() > 0.99
        assert model.score(*make_moons(300, noise=0.08, random_state=2)) > 0.99


class TestCertificate:
    @pytest.mark.parametrize("tol", [1e-2, 1e-5])
    @pytest.mark.parametrize("options", SOLVERS[1:], ids=IDS[1:])
    def test_tol_bounds_the_error(self, options, tol):
        for seed in range(4):
            X, _, y = moons(100, 10, seed)
            exact = HarmonicLabelPropagation(solver="direct", ridge=1e-2).fit(X, y)
            model = HarmonicLabelPropagation(tol=tol, ridge=1e-2, random_state=0, **options)
            error = model.fit(X, y).label_distributions_ - exact.label_distributions_
            assert np.abs(error).max() <= tol + 1e-10

    @pytest.mark.parametrize("options", SOLVERS[1:], ids=IDS[1:])
    def test_a_cluster_tied_by_a_thread_is_not_called_solved(self, options):
        """The class frequencies are harmonic there to 20 digits, and wrong."""
        W, y, _ = thread(1e-20)
        model = HarmonicLabelPropagation("precomputed", max_iter=50, random_state=0, **options)
        with pytest.warns(ConvergenceWarning, match="only known to within"):
            model.fit(W, y)

    def test_direct_solves_it_nevertheless(self):
        W, y, slack = thread(1e-20)
        unlabelled = y == -1
        model = HarmonicLabelPropagation("precomputed", solver="direct").fit(W, y)
        exact = rational_solution(
            W[np.ix_(unlabelled, unlabelled)], slack[unlabelled], W[unlabelled][:, 0]
        )
        found = model.label_distributions_[unlabelled, 0]
        assert np.abs(found - [float(value) for value in exact]).max() <= 1e-13
        # The cluster takes the means of the two threads, 1 : 3.
        assert found[:-1] == pytest.approx(0.25)

    @pytest.mark.parametrize("sparse", [True, False])
    def test_weights_over_thirty_decades(self, sparse):
        rng = np.random.default_rng(0)
        W = np.triu(10.0 ** rng.uniform(-25, 5, (25, 25)), 1)
        W += W.T
        y = np.r_[0, 1, 2, -np.ones(22, dtype=int)]
        fitted = HarmonicLabelPropagation("precomputed").fit(sp.csr_array(W) if sparse else W, y)
        for label in range(3):
            slack = W[3:, :3].sum(axis=1)
            exact = [float(v) for v in rational_solution(W[3:, 3:], slack, W[3:, label])]
            assert np.abs(fitted.label_distributions_[3:, label] - exact).max() <= 1e-12

    def test_direct_warns_where_it_cannot_mend(self, monkeypatch):
        monkeypatch.setattr("skkd.semi_supervised._system._MENDABLE", 0)
        W, y, _ = thread(1e-20)
        with pytest.warns(ConvergenceWarning, match="rounding spoils a direct solution"):
            HarmonicLabelPropagation("precomputed", solver="direct").fit(W, y)


def thread(weight):
    """Two labels tied to a cluster by weights of 1 : 3, and one sample beside the first label."""
    n = 12
    W = np.zeros((n, n))
    W[2:-1, 2:-1] = 1.0
    W[0, 2] = W[2, 0] = weight
    W[1, 5] = W[5, 1] = 3 * weight
    W[0, -1] = W[-1, 0] = 1.0
    np.fill_diagonal(W, 0.0)
    y = np.r_[0, 1, -np.ones(n - 2, dtype=int)]
    return W, y, W[:, :2].sum(axis=1)


class TestPath:
    @pytest.mark.parametrize("ridge", [0.0, 0.3])
    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_objective_path_is_the_energy(self, options, ridge):
        X, _, y = blobs(50)
        model = HarmonicLabelPropagation(tol=1e-10, ridge=ridge, random_state=0, **options)
        model.fit(X, y)
        path, F = model.objective_path_, model.label_distributions_
        assert path.shape == (model.n_iter_ + 1,)
        prior = F[y != -1].mean(axis=0)
        start = np.where((y == -1)[:, None], prior, F)
        W = knn_weights(X)
        pull = 0.5 * ridge * ((F[y == -1] - prior) ** 2).sum()
        assert path[0] == pytest.approx(energy(W, start), rel=1e-12)
        assert path[-1] == pytest.approx(energy(W, F) + pull, rel=1e-10)
        assert (np.diff(path) <= 1e-12 * path[0]).all()

    def test_greedy_trees_need_the_fewest_updates(self):
        X, _, y = moons(300, 20)
        updates = [
            HarmonicLabelPropagation(solver="tree-bcd", selection=selection, random_state=0)
            .fit(X, y)
            .n_iter_
            for selection in SELECTIONS
        ]
        greedy, partition, red_black, random = updates
        assert greedy < partition < red_black and greedy < random

    @pytest.mark.parametrize("options", SOLVERS[1:], ids=IDS[1:])
    def test_too_few_updates_are_warned_about_once(self, options):
        X, _, y = moons()
        model = HarmonicLabelPropagation(max_iter=4, random_state=0, **options)
        with pytest.warns(ConvergenceWarning, match="max_iter") as caught:
            model.fit(X, y)
        assert len(caught) == 1 and model.n_iter_ == 4

    def test_random_forests_follow_the_seed(self):
        X, _, y = moons()
        options = {"solver": "tree-bcd", "selection": "random-tree"}
        one, two, other = (
            HarmonicLabelPropagation(random_state=seed, **options).fit(X, y).objective_path_
            for seed in (1, 1, 2)
        )
        assert np.array_equal(one, two) and not np.array_equal(one[:10], other[:10])

    def test_auto_tells_narrow_graphs_from_wide_ones(self):
        X, _, y = moons(3000, 100)
        assert HarmonicLabelPropagation().fit(X, y).solver_ == "direct"
        rng = np.random.default_rng(0)
        X = rng.standard_normal((8000, 10))
        y = np.where(np.arange(8000) < 100, X[:, 0] > 0, -1).astype(int)
        ends = sp.csr_array(
            (np.ones(24000), (np.repeat(np.arange(8000), 3), rng.integers(8000, size=24000))),
            shape=(8000, 8000),
        )
        model = HarmonicLabelPropagation("precomputed").fit(ends + ends.T, y)
        assert model.solver_ == "cg"


class TestInvariances:
    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_order_of_rows(self, options):
        X, _, y = blobs()
        order = np.random.default_rng(0).permutation(len(y))
        model = HarmonicLabelPropagation(tol=1e-10, random_state=0, **options)
        F = model.fit(X, y).label_distributions_.copy()
        permuted = model.fit(X[order], y[order]).label_distributions_
        assert np.abs(permuted - F[order]).max() <= 1e-9

    @pytest.mark.parametrize("scale", [1e-9, 1e9])
    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_unit_of_the_weights(self, options, scale):
        _, _, y = blobs(60)
        W = random_weights(60, 3)
        model = HarmonicLabelPropagation("precomputed", tol=1e-10, random_state=0, **options)
        F = model.fit(W, y).label_distributions_.copy()
        n_iter = model.n_iter_
        assert np.abs(model.fit(scale * W, y).label_distributions_ - F).max() <= 1e-9
        assert abs(model.n_iter_ - n_iter) <= 1

    def test_classes_are_solved_jointly_as_one_by_one(self):
        X, _, y = blobs()
        joint = HarmonicLabelPropagation().fit(X, y).label_distributions_
        for label in range(3):
            single = np.where(y == -1, -1, y == label)
            alone = HarmonicLabelPropagation().fit(X, single).label_distributions_[:, 1]
            assert np.abs(joint[:, label] - alone).max() <= 1e-12

    @pytest.mark.parametrize("kernel", ["rbf", "precomputed"])
    def test_multiplied_weights_are_repetition(self, kernel):
        """m_i m_j w_ij counts sample i as m_i samples; zero leaves it out."""
        X, _, y = blobs(40)
        rng = np.random.default_rng(1)
        m = rng.integers(0, 4, 40)
        m[:15] = np.maximum(m[:15], 1)
        W = rbf_kernel(X, gamma=0.05)
        repeated = np.repeat(np.arange(40), m)
        if kernel == "rbf":
            long = HarmonicLabelPropagation("rbf", gamma=0.05).fit(X[repeated], y[repeated])
        else:
            long = HarmonicLabelPropagation("precomputed").fit(
                W[np.ix_(repeated, repeated)], y[repeated]
            )
        kept = m > 0
        weighted = HarmonicLabelPropagation("precomputed").fit(
            (W * np.outer(m, m))[np.ix_(kept, kept)], y[kept]
        )
        F = weighted.label_distributions_[np.searchsorted(np.flatnonzero(kept), repeated)]
        assert np.abs(long.label_distributions_ - F).max() <= 1e-10

    @pytest.mark.parametrize("kernel", ["knn", "rbf", "precomputed"])
    @pytest.mark.parametrize("options", SOLVERS[:3], ids=IDS[:3])
    def test_float32_is_kept(self, options, kernel):
        X, _, y = moons()
        X = random_weights(120, 0) if kernel == "precomputed" else X
        wide = HarmonicLabelPropagation(kernel, **options).fit(X, y)
        narrow = HarmonicLabelPropagation(kernel, **options).fit(X.astype(np.float32), y)
        assert narrow.label_distributions_.dtype == np.float32
        probabilities = narrow.predict_proba(X.astype(np.float32))
        assert probabilities.dtype == np.float32
        assert np.abs(narrow.label_distributions_ - wide.label_distributions_).max() <= 1e-4
        assert np.abs(probabilities.sum(axis=1) - 1).max() <= 1e-6


class TestRidge:
    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_is_an_edge_to_the_class_frequencies(self, options):
        """The same as one more labelled node per class, tied to all unlabelled ones."""
        _, _, y = blobs(50)
        W, ridge = random_weights(50, 2), 0.7
        frequencies = np.bincount(y[y != -1]) / (y != -1).sum()
        ties = ridge * np.where((y == -1)[:, None], frequencies, 0.0)
        longer = np.block([[W, ties], [ties.T, np.zeros((3, 3))]])
        expected = harmonic(longer, np.r_[y, 0, 1, 2])[:50]
        model = HarmonicLabelPropagation(
            "precomputed", ridge=ridge, tol=1e-10, random_state=0, **options
        )
        assert np.abs(model.fit(W, y).label_distributions_ - expected).max() <= 1e-9

    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_a_component_without_label_gets_the_class_frequencies(self, options):
        W = np.zeros((8, 8))
        W[:5, :5] = W[5:7, 5:7] = 1.0  # the last sample has no edge at all
        y = np.r_[0, 0, 1, -np.ones(5, dtype=int)]
        model = HarmonicLabelPropagation("precomputed", ridge=0.1, random_state=0, **options)
        F = model.fit(W, y).label_distributions_
        assert F[5:] == pytest.approx(np.tile([2 / 3, 1 / 3], (3, 1)), abs=1e-6)


class TestNewSamples:
    def test_knn_is_the_mean_over_the_nearest(self):
        X, _, y = blobs()
        model = HarmonicLabelPropagation(n_neighbors=4).fit(X, y)
        new = make_blobs(30, 2, centers=3, cluster_std=3.0, random_state=5)[0]
        nearest = NearestNeighbors(n_neighbors=4).fit(X).kneighbors(new, return_distance=False)
        expected = model.label_distributions_[nearest].mean(axis=1)
        assert np.abs(model.predict_proba(new) - expected).max() <= 1e-14
        assert np.array_equal(model.predict(new), model.classes_[expected.argmax(axis=1)])

    def test_rbf_far_from_all_follows_the_nearest(self):
        X, _, y = moons()
        model = HarmonicLabelPropagation("rbf").fit(X, y)
        probabilities = model.predict_proba([[1e3, 1e3], [-1e3, 0.0]])
        nearest = [np.argmax(X.sum(axis=1)), np.argmin(X[:, 0])]
        assert probabilities == pytest.approx(model.label_distributions_[nearest])

    @pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
    def test_precomputed_is_the_weighted_mean(self, kind):
        X, _, y = blobs()
        model = HarmonicLabelPropagation("precomputed").fit(kind(rbf_kernel(X, gamma=0.1)), y)
        new = X[:7] + 0.2
        weights = rbf_kernel(new, X, gamma=0.1)
        reference = HarmonicLabelPropagation("rbf", gamma=0.1).fit(X, y)
        assert model.predict_proba(kind(weights)) == pytest.approx(reference.predict_proba(new))

    def test_precomputed_without_any_weight(self):
        _, _, y = blobs()
        model = HarmonicLabelPropagation("precomputed").fit(random_weights(90, 0), y)
        weights = np.zeros((3, 90))
        weights[1, 0] = 1.0
        with pytest.raises(ValueError, match="2 of 3 samples have no affinity"):
            model.predict_proba(weights)
        with pytest.raises(ValueError, match="must not be negative"):
            model.predict(-weights)

    def test_sparse_features(self):
        X, _, y = blobs()
        dense = HarmonicLabelPropagation().fit(X, y)
        for kind in (sp.csr_array, sp.csc_matrix):
            model = HarmonicLabelPropagation().fit(kind(X), y)
            assert np.abs(model.label_distributions_ - dense.label_distributions_).max() <= 1e-12
            assert np.abs(model.predict_proba(kind(X)) - dense.predict_proba(X)).max() <= 1e-12
        model = HarmonicLabelPropagation("rbf", gamma=0.1).fit(sp.csr_array(X), y)
        assert np.isfinite(model.predict_proba(sp.csr_array(X))).all()

    def test_precomputed_in_a_grid_search(self):
        """The pairwise tag makes the search slice rows and columns."""
        X, y = load_iris(return_X_y=True)
        W = rbf_kernel(X, gamma=1.0)
        search = GridSearchCV(
            HarmonicLabelPropagation("precomputed"),
            {"ridge": [0.0, 0.1]},
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
        )
        assert search.fit(W, y).best_score_ > 0.9


class TestLabels:
    def test_words(self):
        X, _, y = blobs()
        numbers = HarmonicLabelPropagation().fit(X, y)
        names = np.array(["cat", "dog", "elk"])
        words = [("-1" if label == -1 else names[label]) for label in y]
        for given in (
            np.array(words),
            np.array([-1 if word == "-1" else word for word in words], dtype=object),
            np.array(words, dtype=object),
        ):
            model = HarmonicLabelPropagation().fit(X, given)
            assert model.classes_.tolist() == names.tolist()
            assert np.array_equal(model.transduction_, names[numbers.transduction_])
            assert np.array_equal(model.predict(X), names[numbers.predict(X)])

    def test_any_numbers(self):
        X, _, y = blobs()
        given = np.where(y == -1, -1, np.array([7, -2, 3])[y])
        model = HarmonicLabelPropagation().fit(X, given)
        assert model.classes_.tolist() == [-2, 3, 7]
        assert set(model.transduction_) == {-2, 3, 7}

    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_nothing_unlabelled(self, options):
        X, truth, _ = blobs()
        model = HarmonicLabelPropagation(random_state=0, **options).fit(X, truth)
        assert np.array_equal(model.transduction_, truth)
        assert model.n_iter_ == 1 and len(model.objective_path_) == 2

    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_one_class(self, options):
        X, _, y = blobs()
        model = HarmonicLabelPropagation(random_state=0, **options)
        model.fit(X, np.where(y == -1, -1, 5))
        assert (model.transduction_ == 5).all() and (model.label_distributions_ == 1).all()


class TestErrors:
    def test_no_label(self):
        X, _, y = blobs()
        with pytest.raises(ValueError, match="all 90 samples are marked as unlabelled"):
            HarmonicLabelPropagation().fit(X, np.full(90, -1))

    @pytest.mark.parametrize("options", SOLVERS, ids=IDS)
    def test_component_without_label(self, options):
        X = np.r_[np.random.default_rng(0).normal(size=(20, 2)), np.full((10, 2), 50.0)]
        X[20:] += np.random.default_rng(1).normal(size=(10, 2))
        y = np.r_[0, 1, -np.ones(28, dtype=int)]
        with pytest.raises(
            ValueError, match=r"1 of the 2 components .* 10 of its 30 samples.*sample 20.*ridge > 0"
        ):
            HarmonicLabelPropagation(**options).fit(X, y)
        HarmonicLabelPropagation(ridge=1.0, **options).fit(X, y)

    def test_tiny_weights_still_connect(self):
        W = np.array([[0, 1e-30, 0], [1e-30, 0, 1e-30], [0, 1e-30, 0]])
        F = HarmonicLabelPropagation("precomputed").fit(W, [0, -1, 1]).label_distributions_
        assert F[1] == pytest.approx([0.5, 0.5])

    def test_too_few_samples_for_the_neighbours(self):
        with pytest.raises(ValueError, match="n_neighbors=5 needs more than 5 samples"):
            HarmonicLabelPropagation().fit(np.eye(5), [0, 1, -1, -1, -1])

    def test_affinities(self):
        y = [0, 1, -1]
        model = HarmonicLabelPropagation("precomputed")
        with pytest.raises(ValueError, match="takes a square matrix"):
            model.fit(np.ones((3, 2)), y)
        lopsided = np.array([[0.0, 1, 1], [1, 0, 1], [1, 2, 0]])
        for kind in (np.asarray, sp.csr_array):
            with pytest.raises(ValueError, match=r"must be symmetric.*up to 1;.*W \+ W.T"):
                model.fit(kind(lopsided), y)
            with pytest.raises(ValueError, match="must not be negative, got -1"):
                model.fit(kind(np.eye(3) - 1), y)

    def test_parameters(self):
        X, _, y = blobs()
        for bad in ({"kernel": "cosine"}, {"solver": "lu"}, {"ridge": -1.0}, {"n_neighbors": 0}):
            with pytest.raises(ValueError, match=next(iter(bad))):
                HarmonicLabelPropagation(**bad).fit(X, y)

    def test_continuous_labels(self):
        X, _, _ = blobs()
        with pytest.raises(ValueError, match="Unknown label type: continuous"):
            HarmonicLabelPropagation().fit(X, X[:, 0])

    def test_device_arrays(self):
        torch = pytest.importorskip("torch")
        X, _, y = blobs()
        model = HarmonicLabelPropagation().fit(X, y)
        with config_context(array_api_dispatch=True):
            with pytest.raises(ValueError, match="runs on NumPy arrays"):
                HarmonicLabelPropagation().fit(torch.asarray(X), torch.asarray(y))
            with pytest.raises(ValueError, match="runs on NumPy arrays"):
                model.predict(torch.asarray(X))

    def test_diagonal_does_not_count(self):
        _, _, y = blobs()
        W = random_weights(90, 0)
        for kind in (np.asarray, sp.csr_array):
            plain = HarmonicLabelPropagation("precomputed").fit(kind(W), y)
            loops = HarmonicLabelPropagation("precomputed").fit(kind(W + 3 * np.eye(90)), y)
            difference = loops.label_distributions_ - plain.label_distributions_
            assert np.abs(difference).max() <= 1e-12
