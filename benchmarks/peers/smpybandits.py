"""SMPyBandits: UCB1 on ten Bernoulli arms, a round at a time, as its evaluator plays."""

from slices import Game, serve
from SMPyBandits.Arms import Bernoulli
from SMPyBandits.Environment import MAB
from SMPyBandits.Policies import UCB

ARMS, ROUNDS = 10, 2000


def ucb1():
    """Sets up a run that never ends."""
    problem = MAB({"arm_type": Bernoulli, "params": [(k + 0.5) / ARMS for k in range(ARMS)]})
    policy = UCB(ARMS)
    policy.startGame()

    def play():
        """Some rounds more."""
        for t in range(ROUNDS):
            arm = policy.choice()
            policy.getReward(arm, problem.draw(arm, t))
        return ROUNDS

    return play


if __name__ == "__main__":
    serve("SMPyBandits", {"UCB1": Game({"online": ucb1}, target=500)})
