"""Tree search on ConnectFour: simulations a second beside plain Python, and what they are worth.

    python benchmarks/mcts.py

Both sides search from the empty board by UCT with uniform rollouts, one tree on one thread, in
turns. Then players of different budgets meet, in as many games with the first move as without.
"""

import os

os.environ["NUMBA_NUM_THREADS"] = "1"

import math
import time
from random import Random
from statistics import median

import numpy as np
from common import write_result

from spelunk.agents.planning.mcts import MonteCarloTreeSearch
from spelunk.envs.search.connect_four import ConnectFour
from spelunk.envs.search.othello import Othello

SIMULATIONS = 5_000
REPEATS = 100  # of our searches in a turn, so that those of both sides last about as long
TURNS = 7
TARGET = 100
GAMES = 400
ROWS, COLUMNS = 6, 7


# --- plain Python --------------------------------------------------------------------------------


class Node:
    """A board in the tree of `python_search`; returns are those of the player who moved to it."""

    __slots__ = ("children", "total", "untried", "visits")

    def __init__(self, untried):
        self.untried, self.children = untried, {}
        self.visits, self.total = 0, 0.0


def lined(discs):
    """Whether four discs are in a line; a column is seven bits, the highest of them free."""
    for shift in (1, 6, 7, 8):
        pairs = discs & (discs >> shift)
        if pairs & (pairs >> 2 * shift):
            return True
    return False


def open_columns(filled):
    """The columns that are not full."""
    return [column for column in range(COLUMNS) if not filled >> (column * 7 + 5) & 1]


def drop(own, filled, column):
    """The discs of a player and all discs after one more."""
    disc = (filled + (1 << column * 7)) & (0b111111 << column * 7)
    return own | disc, filled | disc


def python_rollout(own, filled, random):
    """What the player to move gets by random play."""
    sign = 1.0
    while True:
        columns = open_columns(filled)
        if not columns:
            return 0.0
        own, filled = drop(own, filled, columns[int(random() * len(columns))])
        if lined(own):
            return sign
        own, sign = filled ^ own, -sign


def python_select(node):
    """The child of the largest upper confidence bound, returns scaled to [0, 1]."""
    log = 2.0 * math.log(node.visits)
    best, highest = None, -1.0
    for column, child in node.children.items():
        score = 0.5 + 0.5 * child.total / child.visits + math.sqrt(log / child.visits)
        if score > highest:
            best, highest = column, score
    return best


def python_search(simulations, seed):
    """UCT from the empty board; the visits of each column."""
    generator = Random(seed)
    root = Node(open_columns(0))
    for _ in range(simulations):
        node, own, filled, path, value = root, 0, 0, [root], None
        while value is None:
            if node.untried:
                column = node.untried.pop(int(generator.random() * len(node.untried)))
            elif node.children:
                column = python_select(node)
            else:
                value = 0.0
                break
            own, filled = drop(own, filled, column)
            won, known = lined(own), column in node.children
            own = filled ^ own
            if not known:
                node.children[column] = Node([] if won else open_columns(filled))
                value = 1.0 if won else -python_rollout(own, filled, generator.random)
            elif won:
                value = 1.0
            node = node.children[column]
            path.append(node)
        for passed in reversed(path):
            passed.visits += 1
            passed.total += value
            value = -value
    return [root.children[column].visits for column in range(COLUMNS)]


# --- figures -------------------------------------------------------------------------------------


def measure_speed():
    """Simulations a second of both sides, in turns."""
    env = ConnectFour(rows=ROWS, columns=COLUMNS)
    root = env.model.reset([0])
    search = MonteCarloTreeSearch(env.model, simulations=SIMULATIONS)
    search.search(root, [0])  # compiles
    rates = {"ours": [], "python": []}
    for turn in range(TURNS):
        found = [search.search(root, [turn * REPEATS + k]) for k in range(REPEATS)]
        rates["ours"].append(SIMULATIONS * REPEATS / sum(result.seconds for result in found))
        begin = time.perf_counter()
        visits = python_search(SIMULATIONS, turn)
        rates["python"].append(SIMULATIONS / (time.perf_counter() - begin))
        if np.argmax(visits) != found[0].actions[0]:
            raise RuntimeError(f"the searches differ: {found[0].visits[0]} and {visits}")
        print({side: f"{rate[-1]:,.0f}" for side, rate in rates.items()}, flush=True)
    ours, python = median(rates["ours"]), median(rates["python"])
    ratio = median(a / b for a, b in zip(rates["ours"], rates["python"], strict=True))
    return {
        "simulations": SIMULATIONS, "turns": TURNS, "ours": ours, "python": python, "ratio": ratio,
        "target": TARGET, "rates": rates,
    }  # fmt: skip


def make_player(model, simulations):
    """From states and a generator to moves: by tree search, or with no simulations at random."""
    if simulations == 0:
        return lambda states, rng: [rng.choice(np.flatnonzero(row)) for row in model.legal(states)]
    search = MonteCarloTreeSearch(model, simulations=simulations)
    return lambda states, rng: (
        search.search(states, rng.integers(2**63, size=len(states)).tolist()).actions
    )


def play(env, budgets, seed=0):
    """Returns of the first budget's player: where it begins, and where it does not."""
    rng, model = np.random.default_rng(seed), env.model
    players = [make_player(model, budget) for budget in budgets]
    states, running = model.reset(range(GAMES)), np.arange(GAMES)
    second = np.arange(GAMES) % 2  # which player the first budget's is
    returns = np.zeros((GAMES, 2))
    while len(running):
        whose = states["turn"] ^ second[running]
        actions = np.zeros(len(running), np.int64)
        for player in (0, 1):
            if (whose == player).any():
                actions[whose == player] = players[player](states[whose == player], rng)
        states, rewards, over = model.step(states, actions)
        returns[running] += rewards
        states, running = states[~over.all(axis=1)], running[~over.all(axis=1)]
    own = returns[np.arange(GAMES), second]
    return own[second == 0], own[second == 1]


def interval(successes, n, z=1.959964):
    """Wilson's 95% interval of a proportion."""
    share, spread = successes / n, z * z / n
    half = z * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return [(share + spread / 2 - half) / (1 + spread), (share + spread / 2 + half) / (1 + spread)]


def measure_strength():
    """A row for each match."""
    rows = []
    connect, othello = ConnectFour(rows=ROWS, columns=COLUMNS), Othello()
    for env, budgets in (
        (connect, (100, 0)), (connect, (1000, 0)), (connect, (1000, 100)), (othello, (1000, 0)),
    ):  # fmt: skip
        first, second = play(env, budgets)
        own = np.concatenate([first, second])
        wins, draws = int((own > 0).sum()), int((own == 0).sum())
        rows.append(
            {
                "game": type(env).__name__,
                "simulations": budgets[0],
                "opponent": budgets[1] or "random",
                "games": GAMES,
                "wins": wins,
                "draws": draws,
                "win_rate": wins / GAMES,
                "interval": interval(wins, GAMES),
                "return_first": float(first.mean()),
                "return_second": float(second.mean()),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main():
    """Measure and write `results/mcts.json`."""
    speed = measure_speed()
    print(f"{speed['ratio']:.0f} times as fast")
    write_result("mcts", {"speed": speed, "strength": measure_strength()})


if __name__ == "__main__":
    main()
