import itertools

import numpy as np
import pytest
import torch
from torch import nn

from spelunk.agents.combinatorial.q_argmax import QArgmax, read_layers
from spelunk.envs.bandit.coupled_instances import FAMILIES, make_instance
from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.feasible_sets import Budget, Matching, Path, lattice

STATE = 6
SPACES = {
    **{family: make_instance(family, 8, 3, 0).space for family in FAMILIES},
    "exact": Budget(8, 3, exact=True),
    "matching pairs": Matching(3, 3),
    "path edges": Path(lattice(3)),
}


def make_network(n, seed, hidden=(6, 8), scale=1.0):
    torch.manual_seed(seed)
    widths = [n + STATE, *hidden, 1]
    layers = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(scale)
    return network


def value(network, row, state):
    with torch.no_grad():
        return float(network.double()(torch.as_tensor(np.concatenate([row, state])))[0])


@pytest.mark.parametrize("name", SPACES)
def test_the_programme_finds_what_enumeration_finds(name):
    space, rng = SPACES[name], np.random.default_rng(0)
    exact, milp = QArgmax(space, "enumerate"), QArgmax(space, "milp")
    for seed in range(4):
        network = make_network(space.n, seed, scale=(1.0, 3.0)[seed % 2])
        exact.load(network)
        milp.load(network)
        for _ in range(2):
            state = rng.random(STATE)
            best, found = exact(state), milp(state)
            assert found.row in space
            assert found.value == pytest.approx(best.value, abs=1e-6)
            assert found.value == pytest.approx(value(network, found.row, state), abs=1e-9)
            others = (value(network, row, state) for row in space.enumerate()[::7])
            assert best.value >= max(others) - 1e-9


def test_the_network_of_the_paper():
    space, state = SPACES["interventions"], np.random.default_rng(3).random(STATE)
    network = make_network(space.n, 0, (16, 32))
    exact, milp = QArgmax(space, "enumerate"), QArgmax(space, "milp")
    exact.load(network)
    milp.load(network)
    assert milp(state).value == pytest.approx(exact(state).value, abs=1e-6)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3, 4)])
def test_networks_of_any_depth(hidden):
    space, rng = Budget(6, 2), np.random.default_rng(1)
    exact, milp = QArgmax(space, "enumerate"), QArgmax(space, "milp")
    for seed in range(5):
        network, state = make_network(6, seed, hidden), rng.normal(size=STATE)
        exact.load(network)
        milp.load(network)
        assert milp(state).value == pytest.approx(exact(state).value, abs=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_local_search_is_feasible_and_seldom_falls_short(name):
    space, rng = SPACES[name], np.random.default_rng(2)
    exact, swap = QArgmax(space, "enumerate"), QArgmax(space, "swap", restarts=4)
    hits = 0
    for seed in range(20):
        network, state = make_network(space.n, seed), rng.random(STATE)
        exact.load(network)
        swap.load(network)
        best, found = exact(state), swap(state)
        assert found.row in space
        assert found.value <= best.value + 1e-9
        hits += found.value >= best.value - 1e-9
    assert hits >= 16


def test_choices_are_remembered_until_another_network_is_loaded():
    argmax, state = QArgmax(Budget(5, 2)), np.zeros(STATE)
    network = make_network(5, 0)
    argmax.load(network)
    first = argmax(state)
    with torch.no_grad():
        list(network.parameters())[-1].add_(1.0)
    assert argmax(state) is first
    argmax.load(network)
    assert argmax(state).value == pytest.approx(first.value + 1.0, abs=1e-6)


def test_other_networks_and_methods_are_refused():
    for network in (nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1)),
                    nn.Sequential(nn.Linear(3, 1), nn.ReLU())):  # fmt: skip
        with pytest.raises(InvalidArgumentError, match="ReLU"):
            read_layers(network)
    with pytest.raises(InvalidArgumentError, match="milp"):
        QArgmax(Budget(3, 1), "guess")  # pyright: ignore[reportArgumentType]
