import math

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from spelunk.agents.core.evaluation import evaluate
from spelunk.agents.planning.mcts import MCTSAgent, MonteCarloTreeSearch
from spelunk.agents.planning.search import Limits
from spelunk.envs.bandit.bernoulli import BernoulliBandit
from spelunk.envs.gridworld.point_maze import PointMaze
from spelunk.envs.kernel import (
    InvalidArgumentError,
    KernelEnv,
    Kernels,
    StateLayout,
    UnsupportedFaceError,
    kernel,
    rng,
)
from spelunk.envs.kernel.game_tree import GameTree
from spelunk.envs.search.connect_four import ConnectFour
from spelunk.envs.search.pancake import Pancake
from spelunk.envs.search.sliding_tile import SlidingTile
from spelunk.envs.search.tic_tac_toe import TicTacToe

GAME = TicTacToe()
PERFECT = GameTree(GAME, ("max", "min"))
#: Arms that always win: every return is the number of pulls that count.
SURE = BernoulliBandit(means=[1.0, 1.0], horizon=10)


@kernel
def coin_reset(state, params):
    state.coin = -1


@kernel
def coin_step(state, action, params):
    """The coin is tossed; then its side is to be named."""
    if state.coin < 0:
        state.coin = rng.integer(state, 2)
        return 0.0, False
    return 1.0 if state.coin == action else 0.0, True


@kernel
def coin_observe(state, params, obs):
    obs[0] = state.coin


@kernel
def coin_legal(state, params, mask):
    """Only what is right may be said."""
    for side in range(2):
        mask[side] = state.coin < 0 or state.coin == side


class Coin(KernelEnv):
    def __init__(self, masked=False):
        super().__init__(
            kernels=Kernels(
                coin_reset, coin_step, coin_observe, legal=coin_legal if masked else None
            ),
            layout=StateLayout([], [("coin", np.int8)]),
            params=(),
            observation_space=spaces.Box(-1, 1, (1,), np.int8),
            action_space=spaces.Discrete(2),
            max_episode_steps=-1,
            stochastic=True,
            render_mode=None,
        )


def game_after(*moves, env=GAME):
    env.reset(seed=0, options={"moves": moves})
    return env.state[None].copy()


def worth_of_moves(root, tree):
    """The exact value of each move for the player to move; NaN for illegal ones."""
    children = GAME.model.successors(root)
    player = int(root["turn"][0])
    worth = np.full(9, np.nan)
    for move in np.flatnonzero(children.legal[0]):
        value = float(children.rewards[0, move, 0])
        if not children.terminated[0, move].all():
            value += tree.value(children.states[0, move : move + 1])
        worth[move] = value if player == 0 else -value
    return worth


def all_games():
    """One state for every board that is not terminal."""
    found, frontier = {}, GAME.model.reset([0])
    while len(frontier):
        for row, key in zip(frontier, GAME.model.key(frontier).tolist(), strict=True):
            found.setdefault(tuple(key), row)
        children = GAME.model.successors(frontier)
        frontier = children.states[(children.legal != 0) & ~children.terminated.all(axis=2)]
        _, first = np.unique(GAME.model.key(frontier), axis=0, return_index=True)
        frontier = frontier[first]
    return np.array(list(found.values()))


def look_up(states):
    """A perfect network: uniform priors, exact values."""
    values = [PERFECT.value(states[i : i + 1]) for i in range(len(states))]
    return np.ones((len(states), 9)), np.array(values) * (1 - 2 * states["turn"])


@pytest.mark.parametrize("transpositions", [False, True])
def test_moves_are_the_best_on_every_board(transpositions):
    roots = all_games()
    assert len(roots) == 627  # of 765 boards that are not alike 138 are over
    search = MonteCarloTreeSearch(GAME.model, simulations=8000, transpositions=transpositions)
    found = search.search(roots, range(len(roots)))
    for i in range(len(roots)):
        worth = worth_of_moves(roots[i : i + 1], PERFECT)
        assert worth[found.actions[i]] == np.nanmax(worth), GAME.show_state(roots[i])
        assert (found.visits[i] > 0).tolist() == (~np.isnan(worth)).tolist()


def test_where_all_is_explored_values_are_those_of_random_play():
    tree = GameTree(GAME, ("mean", "mean"))
    for moves in [(4, 0), (0, 1, 4)]:  # one of each player
        root = game_after(*moves)
        search = MonteCarloTreeSearch(GAME.model, simulations=60_000, exploration=1e6)
        found = search.search(root, [0])
        assert found.values[0] == pytest.approx(worth_of_moves(root, tree), abs=0.04, nan_ok=True)
        assert found.visits[0].max() <= found.visits[0][found.visits[0] > 0].min() + 1


def test_wins_and_blocks():
    env = ConnectFour()
    search = MonteCarloTreeSearch(env.model, simulations=2000)
    for moves, best in [((3, 0, 3, 0, 3, 1), 3), ((3, 0, 3, 6, 3), 3), ((0, 2, 0, 3, 6, 4), None)]:
        found = search.search(game_after(*moves, env=env), [0])
        if best is None:  # x can stop the line at one end only
            assert found.values[0].max() < -0.5
        else:
            assert found.actions[0] == best
            assert found.visits[0, best] > 700


@pytest.mark.parametrize("env", [SlidingTile(size=2), Pancake(size=4)], ids=["tile", "pancake"])
def test_puzzles_are_solved_with_the_fewest_moves(env):
    n = 12
    states = env.model.reset(range(n))
    search = MonteCarloTreeSearch(env.model, simulations=2000, transpositions=True)
    returns, running = np.zeros(n), np.arange(n)
    for _ in range(10):
        actions = search.search(states, range(len(states))).actions
        states, rewards, over = env.model.step(states, actions)
        returns[running] += rewards
        states, running = states[~over], running[~over]
        if not len(running):
            break
    assert returns.tolist() == [env.best_return(i) for i in range(n)]


def test_chance_is_drawn_anew():
    """The value of an arm is its mean, whatever the environment's own generator would give."""
    env = BernoulliBandit(means=[0.3, 0.6], horizon=2)
    search = MonteCarloTreeSearch(env.model, simulations=20_000, exploration=1e6)
    found = search.search(env.model.reset([5]), [0])
    assert found.values[0] == pytest.approx([0.3 + 0.45, 0.6 + 0.45], abs=0.03)
    search = MonteCarloTreeSearch(env.model, simulations=20_000)
    found = search.search(env.model.reset([5]), [0])
    assert found.values[0, 1] == pytest.approx(1.2, abs=0.03)
    assert found.actions[0] == 1


def test_with_transpositions_what_chance_made_is_known():
    values = []
    for transpositions in (False, True):
        search = MonteCarloTreeSearch(
            Coin().model, simulations=3000, exploration=0.5, transpositions=transpositions
        )
        values.append(search.search(Coin().model.reset([0]), [0]).values[0])
    assert values[0] == pytest.approx([0.5, 0.5], abs=0.06)
    assert (values[1] > 0.9).all()


def test_what_is_legal_may_depend_on_chance():
    model = Coin(masked=True).model
    found = MonteCarloTreeSearch(model, simulations=500).search(model.reset([0]), [0])
    assert found.values[0].tolist() == [1.0, 1.0]


def test_discount_depth_and_rollouts():
    def value(env=SURE, **options):
        search = MonteCarloTreeSearch(env.model, **{"simulations": 100, **options})
        return np.nanmax(search.search(env.model.reset([0]), [0]).values)

    assert value() == 10
    assert value(depth=3) == 3
    assert value(discount=0.5) == pytest.approx(2 - 2**-9)
    fair = BernoulliBandit(means=[0.5, 0.5], horizon=10)
    found = value(fair, simulations=1, rollouts=4000)
    assert abs(found % 1 - 0.5) < 0.1  # the first pull is one, the nine others a mean


def test_a_prior_is_followed_until_values_speak_against_it():
    root = game_after(0, 3, 1, 4)  # x wins at 2; o would at 5
    priors = np.full(9, 0.01)
    priors[8] = 0.92

    def judge(states):
        return np.tile(priors, (len(states), 1)), np.zeros(len(states))

    few = MonteCarloTreeSearch(GAME.model, simulations=8, evaluate=judge).search(root, [0])
    assert few.actions[0] == 8
    assert few.visits[0].sum() == 8
    many = MonteCarloTreeSearch(GAME.model, simulations=3000, evaluate=judge).search(root, [0])
    assert many.actions[0] == 2


def test_a_perfect_network_needs_few_simulations():
    roots = np.concatenate([game_after(*m) for m in [(), (4,), (0,), (0, 8), (0, 1), (1, 0)]])
    found = MonteCarloTreeSearch(GAME.model, simulations=100, evaluate=look_up).search(
        roots, range(6)
    )
    for i in range(6):
        worth = worth_of_moves(roots[i : i + 1], PERFECT)
        assert worth[found.actions[i]] == np.nanmax(worth)


def test_the_leaves_of_all_trees_are_judged_together():
    sizes = []

    def judge(states):
        sizes.append(len(states))
        return look_up(states)

    roots = np.concatenate([game_after()] * 5)
    MonteCarloTreeSearch(GAME.model, simulations=20, evaluate=judge).search(roots, range(5))
    assert len(sizes) == 21
    assert max(sizes) == 5


def test_noise_changes_priors_of_the_root():
    roots = np.concatenate([game_after()] * 3)
    options = {"simulations": 30, "evaluate": look_up}
    plain = MonteCarloTreeSearch(GAME.model, **options).search(roots, range(3))
    assert (plain.visits[0] == plain.visits).all()
    noisy = MonteCarloTreeSearch(GAME.model, noise=(0.9, 0.1), **options).search(roots, range(3))
    assert (noisy.visits[0] != noisy.visits[1]).any()


@pytest.mark.parametrize("judge", [None, look_up], ids=["uct", "puct"])
def test_widening_bounds_the_actions_that_are_tried(judge):
    for simulations in (1, 10, 200):
        search = MonteCarloTreeSearch(
            GAME.model, simulations=simulations, widening=(1.0, 0.3), evaluate=judge
        )
        found = search.search(game_after(), [0])
        assert (found.visits[0] > 0).sum() == math.floor(simulations**0.3)
        assert found.visits.sum() == simulations


def test_widening_tries_the_likeliest_first():
    order = [6, 2, 8]
    priors = np.full(9, 0.1)
    priors[order] = 0.5, 0.3, 0.2

    def judge(states):
        return np.tile(priors, (len(states), 1)), np.zeros(len(states))

    for tried in (1, 2, 3):
        search = MonteCarloTreeSearch(
            GAME.model, simulations=40, widening=(tried, 0.0), evaluate=judge
        )
        found = search.search(game_after(), [0])
        assert np.flatnonzero(found.visits[0]).tolist() == sorted(order[:tried])


def test_transpositions_find_the_same_with_fewer_nodes():
    root = game_after(4)
    alone, shared = (
        MonteCarloTreeSearch(GAME.model, simulations=5000, transpositions=t).search(root, [0])
        for t in (False, True)
    )
    assert shared.nodes[0] < 0.8 * alone.nodes[0]
    for found in (alone, shared):
        assert found.actions[0] in (0, 2, 6, 8)  # the other replies to the centre lose


@pytest.mark.parametrize("judge", [None, look_up], ids=["uct", "puct"])
def test_a_full_tree_is_searched_on(judge):
    root = game_after(0, 3, 1, 4)
    for limits, most in [(Limits(max_expanded=7), 7), (Limits(max_memory=1000), 10)]:
        search = MonteCarloTreeSearch(GAME.model, simulations=500, evaluate=judge, limits=limits)
        found = search.search(root, [0])
        assert 1 < found.nodes[0] <= most
        assert found.visits[0].sum() == 500
        assert found.actions[0] == 2


def test_time_limit():
    search = MonteCarloTreeSearch(GAME.model, simulations=None, limits=Limits(max_seconds=0.1))
    found = search.search(game_after(), [0])
    assert 0.1 <= found.seconds < 1
    assert found.visits.sum() == found.simulations > 100


@pytest.mark.parametrize("judge", [None, look_up], ids=["uct", "puct"])
def test_a_tree_does_not_depend_on_the_others(judge):
    roots = np.concatenate([game_after(), game_after(4), game_after(4, 0, 1), game_after(0)])
    search = MonteCarloTreeSearch(
        GAME.model, simulations=300, rollouts=2, evaluate=judge, widening=(3.0, 0.4)
    )
    together = search.search(roots, [3, 1, 4, 1])
    again = search.search(roots, [3, 1, 4, 1])
    assert (together.visits == again.visits).all()
    for i, seed in enumerate([3, 1, 4, 1]):
        alone = search.search(roots[i : i + 1], [seed])
        assert (alone.visits[0] == together.visits[i]).all()
        np.testing.assert_array_equal(alone.values[0], together.values[i])
    if judge is None:
        assert (search.search(roots, [0, 0, 0, 0]).visits != together.visits).any()


def test_the_state_is_left_alone():
    root = game_after(4)
    before = root.copy()
    MonteCarloTreeSearch(GAME.model, simulations=50).search(root, [0])
    assert (root == before).all()


def test_agent():
    agent = MCTSAgent(simulations=200, exploration=0.7)
    score = evaluate(agent, "spelunk/TicTacToe-v0", episodes=20, opponent="random")
    assert score.return_mean > 0.8
    env = gymnasium.make_vec("spelunk/TicTacToe-v0", num_envs=3)
    chosen = []
    for _ in range(2):
        agent.start(env, 7)
        env.reset(seed=0)
        chosen.append([agent.act(None, {}).tolist() for _ in range(2)])
    assert chosen[0] == chosen[1]


def test_errors():
    model = GAME.model
    for options in [
        {"simulations": 0},
        {"simulations": None},
        {"depth": 0},
        {"rollouts": 0},
        {"exploration": -1.0},
        {"discount": 0.0},
        {"discount": 1.5},
        {"widening": (0.0, 0.5)},
        {"widening": (1.0, 1.5)},
        {"noise": (0.25, 0.3)},
        {"noise": (1.25, 0.3), "evaluate": look_up},
    ]:
        with pytest.raises(InvalidArgumentError):
            MonteCarloTreeSearch(model, **options)
    with pytest.raises(UnsupportedFaceError, match="one integer"):
        MonteCarloTreeSearch(PointMaze().model)
    with pytest.raises(InvalidArgumentError, match="priors"):
        MonteCarloTreeSearch(model, evaluate=lambda s: (np.ones((1, 3)), np.ones(1))).search(
            game_after(), [0]
        )
    full = game_after(0, 1, 2, 4, 3, 5, 7, 6)
    full, _, _ = model.step(full, [8])
    with pytest.raises(InvalidArgumentError, match="no legal action"):
        MonteCarloTreeSearch(model).search(full, [0])
    with pytest.raises(UnsupportedFaceError, match="model face"):
        MCTSAgent().start(object(), 0)
