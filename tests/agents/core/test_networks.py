import numpy as np
import pytest
import torch
from gymnasium import spaces

from spelunk.agents.core.distributed import World
from spelunk.agents.core.features import (
    Features,
    InputLayer,
    flatten_observations,
    parts_of,
    update_moments,
)
from spelunk.agents.core.networks import torso
from spelunk.agents.core.normalization import ReturnScale, RunningMoments
from spelunk.agents.policy.actor_critic import ActorCritic
from spelunk.envs.kernel import InvalidArgumentError, UnsupportedFaceError

MIXED = spaces.Dict(
    {
        "kinds": spaces.Box(0, np.array([[3, 5], [3, 5]]), dtype=np.uint8),
        "place": spaces.Box(-4, 4, (3,), np.float32),
        "turn": spaces.Discrete(2),
        "speed": spaces.Box(-np.inf, np.inf, (2,), np.float32),
    }
)
ENTITIES = spaces.Dict(
    {
        "places": spaces.Box(0, 1, (6, 2), np.float32),
        "kinds": spaces.Box(0, 4, (6,), np.uint8),
        "time": spaces.Box(0, 10, (1,), np.float32),
    }
)


def sample(space, n, seed=0):
    space.seed(seed)
    drawn = [space.sample() for _ in range(n)]
    if isinstance(space, spaces.Dict):
        return {k: np.stack([d[k] for d in drawn]) for k in space}
    return np.stack(drawn)


def test_what_features_a_row_has():
    row = {"kinds": [[[3, 5], [0, 1]]], "place": [[4.0, 0, -2]], "turn": [1], "speed": [[7.0, 8]]}
    rows = flatten_observations({k: np.array(row[k]) for k in MIXED})
    features = Features(MIXED)
    one_hot = [0, 0, 0, 1, *(0, 0, 0, 0, 0, 1), 1, 0, 0, 0, *(0, 1, 0, 0, 0, 0)]
    expected = [*one_hot, 1.0, 0, -0.5, 7, 8, 1.0]  # Gymnasium sorts the parts by name.
    assert features(rows)[0].tolist() == pytest.approx(expected)
    assert features.width == len(expected)


@pytest.mark.parametrize(
    "space", [MIXED, MIXED["kinds"], MIXED["place"], spaces.MultiBinary(4)], ids=str
)
@pytest.mark.parametrize("normalize", [False, True])
def test_the_input_layer_is_a_linear_layer_over_the_features(space, normalize):
    torch.manual_seed(0)
    layer = InputLayer(Features(space, normalize), 5)
    rows = flatten_observations(sample(space, 40))
    update_moments(layer, rows, World())
    parts = [layer.table.T if layer.table is not None else None, layer.weight]
    dense = torch.nn.Linear(layer.features.width, 5)
    with torch.no_grad():
        dense.weight.copy_(torch.cat([p for p in parts if p is not None], dim=1))
        dense.bias.copy_(layer.bias)
    expected = dense(layer.features(rows))
    assert torch.allclose(layer(rows), expected, atol=1e-5)
    pull = torch.randn(40, 5)
    (layer(rows) * pull).sum().backward()
    (expected * pull).sum().backward()
    grads = [layer.table.grad.T if layer.table is not None else None]
    grads += [layer.weight.grad if layer.weight is not None else None]
    found = torch.cat([g for g in grads if g is not None], dim=1)
    assert dense.weight.grad is not None
    assert torch.allclose(found, dense.weight.grad, atol=1e-5)


@pytest.mark.parametrize("kind", ["set", "graph"])
def test_the_order_of_entities_means_nothing(kind):
    torch.manual_seed(0)
    network = torso(ENTITIES, kind)
    seen = sample(ENTITIES, 4)
    order = np.random.default_rng(0).permutation(6)
    mixed = {**seen, "places": seen["places"][:, order], "kinds": seen["kinds"][:, order]}
    rows = [flatten_observations(o) for o in (seen, mixed)]
    assert torch.allclose(network(rows[0]), network(rows[1]), atol=1e-5)
    other = {**seen, "kinds": seen["kinds"][:, order]}
    assert not torch.allclose(network(rows[0]), network(flatten_observations(other)), atol=1e-4)


def test_pictures_are_read_by_convolutions():
    picture = spaces.Box(0, 255, (40, 48, 3), np.uint8)
    network = torso(picture)
    rows = flatten_observations(sample(picture, 2))
    assert network(rows).shape == (2, 64)
    assert any(isinstance(m, torch.nn.Conv2d) for m in network.modules())
    assert not any(isinstance(m, torch.nn.Conv2d) for m in torso(MIXED).modules())
    small = torso(spaces.Box(0, 9, (5, 5, 2), np.uint8), "cnn")
    assert (
        small(flatten_observations(sample(spaces.Box(0, 9, (5, 5, 2), np.uint8), 3)))
        .isfinite()
        .all()
    )


def test_what_no_network_reads():
    for space in (spaces.Text(5), spaces.Dict({"a": spaces.Text(5)}), spaces.Graph(MIXED, None)):
        with pytest.raises(UnsupportedFaceError, match="no network reads"):
            parts_of(space)
    for kind in ("cnn", "set", "graph"):
        with pytest.raises(UnsupportedFaceError, match="choose mlp"):
            torso(spaces.Box(-1, 1, (3,)), kind)
    for wrong in ({"kind": "vit"}, {"activation": "gelu"}, {"hidden": ()}):
        with pytest.raises(InvalidArgumentError):
            torso(MIXED, **wrong)


def test_moments_of_batches_are_those_of_all_rows():
    rows = torch.randn(300, 3, generator=torch.Generator().manual_seed(0)) * 5 + 2
    moments = RunningMoments(3)
    for part in rows.split([1, 99, 200]):
        moments.update(part, World())
    assert torch.allclose(moments.mean, rows.mean(0), atol=1e-5)
    assert torch.allclose(moments.variance, rows.var(0, unbiased=False), atol=1e-4)
    assert moments(torch.full((1, 3), 1e9)).tolist() == [[10.0] * 3]


def test_the_scale_of_discounted_returns():
    torch.manual_seed(0)
    rewards, ended = torch.randn(200, 4) * 3, torch.rand(200, 4) < 0.1
    returns, seen = torch.zeros(4), []
    for reward, end in zip(rewards, ended, strict=True):
        returns = returns * 0.9 + reward
        seen.append(returns)
        returns = returns * ~end
    deviation = torch.stack(seen).std(unbiased=False)
    scaled = ReturnScale(4, 0.9)(rewards, ended, World())
    assert torch.allclose(scaled, rewards / deviation, atol=1e-3)


def test_slots_share_their_layers_and_are_the_actions():
    space = spaces.Box(0, 1, (5, 3), np.float32)
    network = ActorCritic(space, spaces.Discrete(5), network="slots", hidden=(16,))
    rows = torch.rand(7, 5, 3)
    logits, _ = network(rows.flatten(1))
    assert logits.shape == (7, 5)
    order = torch.tensor([3, 1, 4, 0, 2])
    moved, _ = network(rows[:, order].flatten(1))
    torch.testing.assert_close(moved, logits[:, order])
    with pytest.raises(UnsupportedFaceError, match="as there are actions, 4"):
        ActorCritic(space, spaces.Discrete(4), network="slots")
    with pytest.raises(InvalidArgumentError, match="slots keep no memory"):
        ActorCritic(space, spaces.Discrete(5), network="slots", memory_kind="gru")
