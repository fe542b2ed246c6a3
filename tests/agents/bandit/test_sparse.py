import numpy as np
import pytest

from spelunk.agents.bandit.sparse import (
    HardThresholdLS,
    PhasedElimination,
    Queries,
    SparseNet,
    hard_instance,
    optimal_design,
    sphere_net,
)
from spelunk.envs.bandit.linear import LinearBandit
from spelunk.envs.kernel import InvalidArgumentError


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_the_net_covers_the_sphere(dimension):
    net = sphere_net(dimension, 0.2)
    np.testing.assert_allclose(np.linalg.norm(net, axis=1), 1)
    points = np.random.default_rng(0).normal(size=(2000, dimension))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    nearest = np.linalg.norm(points[:, None] - net, axis=2).min(axis=1)
    assert nearest.max() <= 0.2


def test_greedy_arms_are_those_of_the_net():
    features = np.random.default_rng(1).normal(size=(30, 5)) * (
        np.random.default_rng(2).random((30, 5)) < 0.4
    )
    arms = SparseNet(2, 0.3).greedy_arms(features)
    best = set()
    for i in range(5):
        for j in range(i):
            for point in sphere_net(2, 0.3):
                scores = features[:, [j, i]] @ point
                assert scores[arms].max() == pytest.approx(scores.max())
                best.add(int(scores.argmax()))
    assert set(arms.tolist()) == best


def test_queries_are_counted_and_averaged():
    queries = Queries(np.eye(2), np.array([0.2, 0.7]), noise=1.0)
    arms = np.zeros(4000, int)
    paid = queries.ask(arms, 25)
    assert queries.count == 100_000
    assert abs(paid.mean() - 0.2) < 0.02
    assert abs(paid.std() - 0.2) < 0.02  # 1 / √25
    assert queries.gap(0) == pytest.approx(0.5)


def test_designs_are_nearly_optimal():
    rng = np.random.default_rng(3)
    sphere = rng.normal(size=(2000, 30))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    for features in (sphere, rng.normal(size=(60, 2)) @ rng.normal(size=(2, 4))):
        rank = np.linalg.matrix_rank(features)
        weights = optimal_design(features)
        assert weights.sum() == pytest.approx(1)
        assert weights.min() >= 0
        inverse = np.linalg.pinv(features.T @ (weights[:, None] * features))
        worst = np.einsum("ai,ij,aj->a", features, inverse, features).max()
        assert rank - 1e-9 <= worst <= 2 * rank + 1e-9


@pytest.mark.parametrize(
    "agent",
    [SparseNet(2, 0.1), HardThresholdLS(2, 500), PhasedElimination()],
    ids=lambda a: type(a),
)
def test_all_find_the_best_arm_where_the_model_is_right(agent):
    for seed in range(3):
        queries = Queries.of(LinearBandit(arms=40, dimension=6, sparsity=2), seed)
        choice = agent.identify(queries)
        assert queries.gap(choice.arm) <= 0.1
        assert choice.queries == queries.count > 0


def test_errors_that_conspire_mislead_dense_models_only():
    epsilon, gaps = 0.2, []
    for seed in range(2):
        env = hard_instance(64, epsilon, decoys=100, seed=seed)
        queries = Queries.of(env, seed)
        for agent in (SparseNet(2, epsilon), HardThresholdLS(2)):
            assert queries.gap(agent.identify(queries).arm) <= 2 * epsilon
        gaps.append(queries.gap(PhasedElimination(0.125, 0.125).identify(queries).arm))
    assert min(gaps) >= 0.5


def test_wrong_arguments_are_refused():
    with pytest.raises(InvalidArgumentError, match="sparsity"):
        SparseNet(4, 0.1)
    with pytest.raises(InvalidArgumentError, match="epsilon"):
        SparseNet(2, 0.0)
