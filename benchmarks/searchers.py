"""KnowledgeSearch is solvable by construction and not by guessing."""

from common import write_result

from spelunk.agents import registry
from spelunk.agents.core.evaluation import evaluate

EPISODES = 500


def main():
    """Measure and write `results/searchers.json`."""
    figures = {}
    for actions in ("menu", "text"):
        for name in ("oracle", "guesser"):
            agent = registry.entry(name).load()()
            score = evaluate(
                agent, "spelunk/KnowledgeSearch-v0", episodes=EPISODES, actions=actions
            )
            figures[f"{name}_{actions}"] = score.summary()
            print(f"{name} ({actions}): {score.return_mean:.3f}")
    write_result("searchers", {"agents": figures})


if __name__ == "__main__":
    main()
