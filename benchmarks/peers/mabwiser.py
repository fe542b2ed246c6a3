"""MABWiser: UCB1 on ten Bernoulli arms, and LinUCB with ten features, learning after each round."""

import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from slices import Game, serve

ARMS, FEATURES, ROUNDS = 10, 10, 200


def ucb1():
    """Sets up a run that never ends."""
    rng, arms = np.random.default_rng(0), list(range(ARMS))
    bandit = MAB(arms, LearningPolicy.UCB1(alpha=2.0**0.5))
    bandit.fit(arms, [0.0] * ARMS)

    def play():
        """Some rounds more."""
        for _ in range(ROUNDS):
            arm = bandit.predict()
            bandit.partial_fit([arm], [float(rng.random() < (arm + 0.5) / ARMS)])
        return ROUNDS

    return play


def lin_ucb():
    """Sets up a run that never ends, each arm with parameters of its own."""
    rng, arms = np.random.default_rng(0), list(range(ARMS))
    theta = rng.normal(size=(ARMS, FEATURES))
    theta /= np.linalg.norm(theta, axis=1, keepdims=True)
    scale = FEATURES**-0.5
    bandit = MAB(arms, LearningPolicy.LinUCB(alpha=1.0))
    bandit.fit(arms, [0.0] * ARMS, rng.uniform(-scale, scale, (ARMS, FEATURES)))

    def play():
        """Some rounds more."""
        for _ in range(ROUNDS):
            context = rng.uniform(-scale, scale, (1, FEATURES))
            arm = bandit.predict(context)
            reward = float(theta[arm] @ context[0] + 0.1 * rng.normal())
            bandit.partial_fit([arm], [reward], context)
        return ROUNDS

    return play


if __name__ == "__main__":
    serve(
        "mabwiser",
        {
            "UCB1": Game({"online": ucb1}, target=2000),
            "LinUCB": Game({"online": lin_ucb}, target=500),
        },
    )
