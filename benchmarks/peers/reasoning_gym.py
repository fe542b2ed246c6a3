"""reasoning-gym's own Sudoku and Countdown: how fast instances are made, one after the other."""

import itertools

import reasoning_gym
from slices import Game, serve


def maker(name):
    """Sets up a data set of the default arguments."""

    def build():
        create = reasoning_gym.create_dataset  # pyright: ignore[reportAttributeAccessIssue]
        items = iter(create(name, size=10**9, seed=0))

        def play():
            """Makes a few more."""
            return len(list(itertools.islice(items, 4)))

        return play

    return build


if __name__ == "__main__":
    serve(
        "reasoning-gym",
        {
            "Sudoku": Game(
                {"iterate": maker("sudoku")}, target=100, differs="the question is written as text"
            ),
            "Countdown": Game(
                {"iterate": maker("countdown")},
                target=100,
                differs="the question is written as text; every number must be used",
            ),
        },
    )
