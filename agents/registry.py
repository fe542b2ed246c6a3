"""Every agent of the suite, once: one row of data each."""

import importlib
from dataclasses import dataclass
from typing import Any, Literal

from ..envs.kernel.errors import InvalidArgumentError


@dataclass(frozen=True)
class Entry:
    """One agent.

    Attributes:
        name: what the command line calls it.
        entry_point: `module:Class`, below `spelunk.agents`: an `Agent`, or where the kind is
            `"trained"` its `Trainer`, with the hyperparameters `Config` beside it.
        kind: `"scripted"` agents act as they are, `"planner"` ones search the model face, and
            `"trained"` ones learn first.
        about: a line of help.
    """

    name: str
    entry_point: str
    kind: Literal["scripted", "planner", "trained"]
    about: str

    def load(self) -> Any:
        """The agent's or trainer's class."""
        module, name = self.entry_point.split(":")
        return getattr(importlib.import_module(f"{__package__}.{module}"), name)

    def config_class(self) -> type[Any]:
        """The hyperparameters of a trained agent, a dataclass."""
        module = importlib.import_module(f"{__package__}.{self.entry_point.split(':')[0]}")
        return module.Config


ENTRIES: tuple[Entry, ...] = (
    Entry("random", "core.agent:RandomAgent", "scripted", "legal actions, drawn uniformly"),
    Entry("ppo", "policy.ppo:PPO", "trained", "proximal policy optimisation"),
    Entry("a2c", "policy.a2c:A2C", "trained", "advantage actor-critic, a setting of PPO"),
    Entry("dqn", "value.dqn:DQN", "trained", "deep Q-networks, from double to distributional"),
    Entry("q_learning", "value.tabular:QLearning", "trained", "Q-learning with a table of states"),
    Entry(
        "bc",
        "policy.behaviour_cloning:BehaviourCloning",
        "trained",
        "behaviour cloning of another agent",
    ),
    Entry("sac", "policy.sb3:SAC", "trained", "soft actor-critic (Stable-Baselines3)"),
    Entry("td3", "policy.sb3:TD3", "trained", "twin delayed DDPG (Stable-Baselines3)"),
    *(
        Entry(name, f"bandit.{entry_point}", "scripted", f"bandits: {about}")
        for name, entry_point, about in (
            ("epsilon-greedy", "epsilon_greedy:EpsilonGreedy", "explores with probability ε"),
            ("greedy", "epsilon_greedy:Greedy", "the highest mean so far"),
            ("explore-then-commit", "explore_then_commit:ExploreThenCommit", "in two phases"),
            (
                "successive-elimination",
                "successive_elimination:SuccessiveElimination",
                "drops what is surely worse",
            ),
            ("ucb1", "ucb1:UCB1", "upper confidence bounds (Auer et al. 2002)"),
            ("ucb-v", "ucb_v:UCBV", "upper bounds that know the variance"),
            ("kl-ucb", "kl_ucb:KLUCB", "upper bounds from large deviations"),
            ("moss", "moss:MOSS", "minimax optimal upper bounds"),
            ("bayes-ucb", "bayes_ucb:BayesUCB", "upper quantiles of the posterior"),
            ("discounted-ucb", "discounted_ucb:DiscountedUCB", "upper bounds that forget"),
            ("thompson", "thompson:ThompsonSampling", "draws from the posterior of arms"),
            ("gaussian-thompson", "thompson:GaussianThompsonSampling", "the same, normal rewards"),
            ("gittins", "gittins:GittinsIndex", "the index that is optimal under discounting"),
            ("exp3", "exponential_weights:EXP3", "exponential weights, for adversaries"),
            ("exp3-p", "exponential_weights:EXP3P", "the same with high probability"),
            ("lin-ucb", "lin_ucb:LinUCB", "upper bounds with linear rewards"),
            ("lin-ts", "lin_ts:LinTS", "Thompson sampling with linear rewards"),
            ("square-cb", "square_cb:SquareCB", "inverse-gap weighting"),
            ("neural-linear", "neural_linear:NeuralLinear", "learned features, linear on top"),
            ("zooming", "zooming:Zooming", "ever finer where it pays"),
            ("hoo", "hoo:HOO", "optimism in a tree of cells"),
            ("exp4", "exp4:EXP4", "exponential weights over experts"),
            ("rucb", "rucb:RUCB", "duels by relative upper bounds"),
            ("cascade-ucb1", "cascade_ucb:CascadeUCB1", "ranked lists by upper bounds"),
            ("combinatorial-ucb", "combinatorial_ucb:CombinatorialUCB", "sets by upper bounds"),
            ("sequential-halving", "sequential_halving:SequentialHalving", "finds the best arm"),
            ("lagrange-bwk", "lagrange_bwk:LagrangeBwK", "a game of arms against resources"),
            ("primal-dual-bwk", "primal_dual_bwk:PrimalDualBwK", "most pay for the price"),
            ("lucb", "lucb:LUCB", "the best arm, with a fixed confidence"),
            ("whittle-index", "whittle_index:WhittleIndexPolicy", "exact indices, restless arms"),
            ("tsallis-inf", "tsallis_inf:TsallisINF", "for chance and adversaries alike"),
        )
    ),
    Entry(
        "whittle-q",
        "bandit.whittle_q_learning:WhittleQLearning",
        "trained",
        "Whittle indices of unknown restless arms, by Q-learning",
    ),
    Entry(
        "sequoia",
        "combinatorial.sequoia:Sequoia",
        "trained",
        "Q-learning over combinatorial actions, maximised exactly",
    ),
    *(
        Entry(name, f"combinatorial.{policy}", "scripted", f"restless: {about}")
        for name, policy, about in (
            ("restless-null", "restless_policies:NullPolicy", "never acts"),
            (
                "restless-myopic",
                "restless_policies:MyopicPolicy",
                "best next reward, by an integer programme",
            ),
            ("restless-greedy", "restless_policies:GreedyPolicy", "adds one arm after the other"),
            ("restless-sampling", "restless_policies:SamplingPolicy", "best of 100 random actions"),
            ("restless-optimal", "optimal_policy:OptimalPolicy", "exact, for ten arms at most"),
            ("whittle", "restless_policies:WhittlePolicy", "Whittle indices over the feasible set"),
        )
    ),
    Entry(
        "llm",
        "llm.training.trainer:LanguageModelTrainer",
        "trained",
        "a language model that plays in words",
    ),
    Entry(
        "oracle", "llm.searching.searchers:OracleAgent", "scripted", "follows the plan of the start"
    ),
    Entry(
        "guesser",
        "llm.searching.searchers:GuesserSearcher",
        "scripted",
        "answers without searching",
    ),
    Entry(
        "greedy-search",
        "llm.searching.searchers:GreedySearcher",
        "scripted",
        "believes the first page",
    ),
    Entry(
        "chat",
        "llm.messages.endpoint:EndpointAgent",
        "scripted",
        "a model behind an OpenAI-compatible endpoint",
    ),
    Entry(
        "single-shot",
        "llm.searching.searchers:SingleShotSearcher",
        "scripted",
        "searches once, then answers",
    ),
    Entry(
        "davi",
        "value.cost_to_go:CostToGoLearning",
        "trained",
        "learns a heuristic from scrambles (DAVI, or Q-learning), and searches with it",
    ),
    Entry("astar", "planning.astar:AStarAgent", "planner", "A*, weighted A* and greedy search"),
    Entry("ida_star", "planning.ida_star:IDAStarAgent", "planner", "iterative-deepening A*"),
    Entry(
        "bidirectional",
        "planning.bidirectional:BidirectionalAgent",
        "planner",
        "search from the start and from the goal at once",
    ),
    Entry("beam", "planning.beam:BeamAgent", "planner", "beam search"),
    Entry("levin", "planning.levin:LevinAgent", "planner", "Levin tree search, led by a policy"),
    Entry("mcts", "planning.mcts:MCTSAgent", "planner", "Monte Carlo tree search, move by move"),
    Entry(
        "go_explore",
        "evolution.go_explore:GoExploreAgent",
        "planner",
        "Go-Explore: returns to a cell of its archive, then explores",
    ),
    Entry(
        "sampling",
        "planning.sampling:SamplingAgent",
        "planner",
        "sequential search or parallel sampling with one noisy policy",
    ),
    Entry(
        "value_iteration",
        "planning.value_iteration:ValueIterationAgent",
        "planner",
        "exact values of every state, where the model can list them",
    ),
    Entry(
        "two_opt",
        "combinatorial.two_opt:TwoOptAgent",
        "planner",
        "nearest neighbour, then 2-opt (TSP)",
    ),
    Entry("novelty", "evolution.novelty:NoveltySearch", "trained", "novelty search (evolution)"),
)


def entry(name: str) -> Entry:
    """The row of a name.

    Raises:
        InvalidArgumentError: there is none; the message lists those there are.
    """
    for row in ENTRIES:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in ENTRIES)
    raise InvalidArgumentError(f"unknown agent {name!r}; there are {known}")
