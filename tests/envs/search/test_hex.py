import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.kernel.game_tree import GameTree
from spelunk.envs.search.hex import Hex


def connected(cells, size, across):
    """Whether cells join two opposite sides: the rule written a second way."""
    reached = [cell for cell in cells if cell[across] == 0]
    seen = set(reached)
    while reached:
        row, column = reached.pop()
        if (row, column)[across] == size - 1:
            return True
        for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, -1), (-1, 1)):
            cell = row + down, column + right
            if cell in cells and cell not in seen:
                seen.add(cell)
                reached.append(cell)
    return False


@pytest.mark.parametrize("size", [3, 5, 7])
def test_every_game_has_one_winner_who_joins_two_sides(size):
    env, rng = Hex(size=size), np.random.default_rng(size)
    wins = np.zeros(2, int)
    sides = set()
    for _ in range(40):
        env.reset()
        cells, player, over = [set(), set()], 0, False
        while not over:
            assert len(np.flatnonzero(env.action_mask())) == size**2 - sum(map(len, cells))
            action = env.sample_action(rng)
            _, rewards, terminated, _, _ = env.step(action)
            cells[player].add(divmod(int(action), size))
            over = bool(terminated.all())
            joined = [way for way in (0, 1) if connected(cells[player], size, way)]
            if over:
                assert rewards[player] == 1
                assert rewards[1 - player] == -1
                assert joined
                sides.add((player, *joined)) if len(joined) == 1 else None
                wins[player] += 1
            player = 1 - player
    assert wins.min() > 0
    # Each player has sides of its own.
    assert len({player for player, _ in sides}) == len({way for _, way in sides}) == 2
    assert len(sides) == 2


def test_the_first_player_wins_small_boards_and_the_second_may_swap():
    """Nash's argument: an extra stone never harms, so the first can force a win."""
    plain, swap = Hex(size=3), Hex(size=3, swap=True)
    assert GameTree(plain, ("max", "min"), (-1, 1)).value(plain.model.reset([0])) == 1
    assert GameTree(swap, ("max", "min"), (-1, 1)).value(swap.model.reset([0])) == -1


@pytest.mark.parametrize("wrong", [{"size": 2}, {"size": "5"}])
def test_wrong_arguments(wrong):
    with pytest.raises(InvalidArgumentError, match="size"):
        Hex(**wrong)
