"""The integer programme that maximises a network over feasible actions, beside enumeration."""

import itertools
import time
from typing import Any

import numpy as np
from rich.progress import track

from spelunk.agents.combinatorial.q_argmax import QArgmax
from spelunk.envs.bandit.coupled_instances import FAMILIES, make_instance

PAIRS, ARMS, BUDGET, HIDDEN = 500, 6, 3, (8, 16)
METHODS = ("enumerate", "milp", "greedy", "swap")


def random_network(inputs: int, seed: int) -> Any:
    """A network as it is initialised, every other one with parameters three times as large."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for wide, narrow in itertools.pairwise((inputs, *HIDDEN, 1)):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_((1.0, 3.0)[seed % 2])
    return network


def measure() -> list[dict[str, Any]]:
    """A row for each family: constraints, networks and states are all drawn anew for each pair."""
    rows = []
    for family in FAMILIES:
        values, seconds = np.zeros((2, PAIRS, len(METHODS)))
        listed = np.zeros(PAIRS)
        for pair in track(range(PAIRS), family):
            space = make_instance(family, ARMS, BUDGET, pair).space
            network = random_network(space.n + ARMS, pair)
            state = np.random.default_rng(pair).random(ARMS)
            listed[pair] = len(space.enumerate())
            for i, method in enumerate(METHODS):
                best = QArgmax(space, method)
                best.load(network)
                begun = time.perf_counter()
                choice = best(state)
                seconds[pair, i] = time.perf_counter() - begun
                values[pair, i] = choice.value if choice.row in space else np.inf
        short = values[:, :1] - values[:, 1:]
        mismatches = int((abs(short[:, 0]) > 1e-6).sum())
        rows.append(
            {
                "family": family,
                "pairs": PAIRS,
                "rows": float(listed.mean()),
                "mismatches": mismatches,
                "largest_difference": float(abs(short[:, 0]).max()),
                "seconds": float(seconds[:, 1].mean()),
                "most_seconds": float(seconds[:, 1].max()),
                "greedy_short": float((short[:, 1] > 1e-6).mean()),
                "swap_short": float((short[:, 2] > 1e-6).mean()),
                "expected": 0,
                "passed": mismatches == 0,
            }
        )
    return rows
