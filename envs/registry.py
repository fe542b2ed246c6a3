"""Every environment of the suite, once: one row of data each."""

import importlib
from dataclasses import dataclass, field
from typing import Any, Literal

import gymnasium

KERNEL_FACES = ("single", "vector", "cuda", "model", "text", "rgb_array", "ansi")
#: Of environments whose actions obey constraints that only the CPU checks.
CPU_FACES = ("single", "vector", "model", "text", "rgb_array", "ansi")
HOST_FACES = ("single", "vector", "text", "rgb_array", "ansi")
TURNS_FACES = ("aec", "vector", "cuda", "model", "text", "rgb_array", "ansi")
TEAM_FACES = ("parallel", *TURNS_FACES)
#: What makes a face.
MADE_BY = {
    "single": "gymnasium.make",
    "parallel": "spelunk.parallel_env",
    "aec": "spelunk.aec_env",
    "vector": "gymnasium.make_vec",
    "cuda": 'gymnasium.make_vec(…, device="cuda")',
}


@dataclass(frozen=True)
class Entry:
    """One registered environment.

    Attributes:
        id: what `gymnasium.make` is given.
        entry_point: `module:Class`, below `spelunk.envs`.
        randomness: what is random: `"none"`, `"start"` (only the initial state) or `"dynamics"`.
        preset: arguments other than the default, which the tests and the stored references cover.
        faces: how the environment can be used.
    """

    id: str
    entry_point: str
    randomness: Literal["none", "start", "dynamics"]
    preset: dict[str, Any] = field(default_factory=dict)
    faces: tuple[str, ...] = KERNEL_FACES

    @property
    def family(self) -> str:
        """The folder of `envs` that the environment lives in."""
        return self.entry_point.split(".")[0]

    @property
    def name(self) -> str:
        """The name of the environment's class."""
        return self.entry_point.split(":")[1]

    def require(self, face: str) -> None:
        """Make sure that the environment can be used this way.

        Raises:
            UnsupportedFaceError: it cannot; the message says what makes it.
        """
        if face not in self.faces:
            from .kernel.errors import UnsupportedFaceError

            others = " or ".join(MADE_BY[name] for name in self.faces if name in MADE_BY)
            raise UnsupportedFaceError(f"{self.id} has no {face} face: make it with {others}")

    def load(self) -> type[Any]:
        """The environment's class."""
        module, name = self.entry_point.split(":")
        return getattr(importlib.import_module(f"{__package__}.{module}"), name)


ENTRIES: tuple[Entry, ...] = (
    Entry("spelunk/DoorKey-v0", "gridworld.door_key:DoorKey", "start", {"size": 5}),
    Entry(
        "spelunk/BernoulliBandit-v0",
        "bandit.bernoulli:BernoulliBandit",
        "dynamics",
        {"means": [0.2, 0.8], "horizon": 20},
    ),
    Entry(
        "spelunk/GaussianBandit-v0",
        "bandit.gaussian:GaussianBandit",
        "dynamics",
        {"means": [0.0, 1.0, 0.5], "noise": "student", "horizon": 20},
    ),
    Entry(
        "spelunk/NonStationaryBandit-v0",
        "bandit.non_stationary:NonStationaryBandit",
        "dynamics",
        {"arms": 3, "change": "abrupt", "rate": 0.1, "horizon": 40},
    ),
    Entry(
        "spelunk/AdversarialBandit-v0",
        "bandit.adversarial:AdversarialBandit",
        "dynamics",
        {"arms": 3, "gap": 0.5, "horizon": 20},
    ),
    Entry(
        "spelunk/MetaBandit-v0",
        "bandit.meta:MetaBandit",
        "dynamics",
        {"family": "gaussian", "arms": 3, "horizon": 20},
    ),
    Entry(
        "spelunk/BestArm-v0",
        "bandit.best_arm:BestArm",
        "dynamics",
        {"arms": 3, "budget": 8, "cost": 0.01},
    ),
    Entry(
        "spelunk/DuellingBandit-v0",
        "bandit.duelling:DuellingBandit",
        "dynamics",
        {"preferences": "cyclic", "arms": 3, "horizon": 20},
    ),
    Entry(
        "spelunk/ClickBandit-v0",
        "bandit.click:ClickBandit",
        "dynamics",
        {"items": 4, "slots": 2, "horizon": 1},
    ),
    Entry(
        "spelunk/InformationForaging-v0",
        "bandit.foraging:InformationForaging",
        "dynamics",
        {"richness": [0.8], "decay": 0.8, "travel": 3, "horizon": 30},
    ),
    Entry(
        "spelunk/ContextualBandit-v0",
        "bandit.contextual:ContextualBandit",
        "dynamics",
        {"data": "digits", "horizon": 50},
    ),
    Entry(
        "spelunk/LinearBandit-v0",
        "bandit.linear:LinearBandit",
        "dynamics",
        {"dimension": 8, "sparsity": 2, "misspecification": 0.15, "error": "adversarial"},
    ),
    Entry(
        "spelunk/LipschitzBandit-v0",
        "bandit.lipschitz:LipschitzBandit",
        "dynamics",
        {"dimension": 2, "noise": "gaussian", "horizon": 50},
    ),
    Entry(
        "spelunk/CombinatorialBandit-v0",
        "bandit.combinatorial:CombinatorialBandit",
        "dynamics",
        {"structure": "matching", "size": 3, "noise": "gaussian", "horizon": 20},
        CPU_FACES,
    ),
    Entry(
        "spelunk/KnapsackBandit-v0",
        "bandit.knapsack:KnapsackBandit",
        "dynamics",
        {"family": "pricing", "horizon": 50, "budget": 10},
    ),
    Entry(
        "spelunk/RestlessBandit-v0",
        "bandit.restless:RestlessBandit",
        "dynamics",
        {"arms": 4, "states": 2, "k": 1, "horizon": 10},
        CPU_FACES,
    ),
    Entry(
        "spelunk/CoupledRestlessBandit-v0",
        "bandit.coupled:CoupledRestlessBandit",
        "dynamics",
        {"family": "path", "arms": 8, "budget": 2},
        CPU_FACES,
    ),
    Entry(
        "spelunk/KnowledgeSearch-v0",
        "textweb.knowledge_search:KnowledgeSearch",
        "start",
        {"actions": "text"},
        HOST_FACES,
    ),
    Entry(
        "spelunk/ChainArithmetic-v0",
        "textweb.chain_arithmetic:ChainArithmetic",
        "start",
        {"steps": 3, "orders": 2, "dialect": "compact", "split": "train"},
        HOST_FACES,
    ),
    Entry(
        "spelunk/Constraints-v0",
        "textweb.constraints:Constraints",
        "start",
        {"constraints": [2, 4], "reward": "all", "dialect": "compact", "split": "train"},
        HOST_FACES,
    ),
    Entry(
        "spelunk/PointMaze-v0",
        "gridworld.point_maze:PointMaze",
        "none",
        {"maze": "umaze", "reward": "sparse"},
    ),
    Entry(
        "spelunk/PressurePlates-v0",
        "gridworld.pressure_plates:PressurePlates",
        "start",
        {"size": 5},
        TEAM_FACES,
    ),
    Entry(
        "spelunk/ConnectFour-v0",
        "search.connect_four:ConnectFour",
        "none",
        {"rows": 4, "columns": 4, "connect": 3},
        TURNS_FACES,
    ),
    Entry(
        "spelunk/Countdown-v0",
        "search.countdown:Countdown",
        "start",
        {"numbers": 3, "target": [10, 50], "use_all": True},
    ),
    Entry(
        "spelunk/CountdownAnswer-v0",
        "search.countdown_answer:CountdownAnswer",
        "start",
        {"numbers": 3, "target": [1, 50], "highest": 20, "dialect": "compact", "split": "train"},
        HOST_FACES,
    ),
    Entry("spelunk/GameOf24-v0", "search.game_of_24:GameOf24", "start", {"highest": 10}),
    Entry("spelunk/Hex-v0", "search.hex:Hex", "none", {"size": 3, "swap": True}, TURNS_FACES),
    Entry("spelunk/LightsOut-v0", "search.lights_out:LightsOut", "start", {"size": 3}),
    Entry("spelunk/Maze-v0", "search.maze:Maze", "start", {"size": 7}),
    Entry(
        "spelunk/Othello-v0",
        "search.othello:Othello",
        "none",
        {"size": 4, "reward": "margin"},
        TURNS_FACES,
    ),
    Entry("spelunk/Pancake-v0", "search.pancake:Pancake", "start", {"size": 6}),
    Entry(
        "spelunk/RubiksCube-v0",
        "search.rubiks_cube:RubiksCube",
        "start",
        {"metric": "quarter_turn", "meta_actions": 2},
    ),
    Entry("spelunk/SlidingTile-v0", "search.sliding_tile:SlidingTile", "start", {"size": 2}),
    Entry(
        "spelunk/Sokoban-v0",
        "search.sokoban:Sokoban",
        "start",
        {"size": 7, "boxes": 2, "levels": 16, "observation": "codes", "reward": "boxoban"},
    ),
    Entry(
        "spelunk/Strips-v0",
        "search.strips:Strips",
        "start",
        {"domain": "spanner", "problems": 16},
    ),
    Entry(
        "spelunk/Sudoku-v0",
        "search.sudoku:Sudoku",
        "start",
        {"box": 2, "boards": 64, "reward": "dense"},
    ),
    Entry("spelunk/TopSpin-v0", "search.top_spin:TopSpin", "start", {"size": 7}),
    Entry("spelunk/TSP-v0", "combinatorial.tsp:TSP", "start", {"cities": 10}),
    Entry(
        "spelunk/TicTacToe-v0",
        "search.tic_tac_toe:TicTacToe",
        "none",
        {"misere": True},
        TURNS_FACES,
    ),
)


def entry(id: str) -> Entry:
    """The row of an id.

    Raises:
        gymnasium.error.UnregisteredEnv: there is none; the message lists those there are.
    """
    for row in ENTRIES:
        if row.id == id:
            return row
    raise gymnasium.error.UnregisteredEnv(
        f"{id!r} is not an environment of spelunk; there are {', '.join(r.id for r in ENTRIES)}"
    )


def register_all() -> None:
    """Make every environment known to Gymnasium. Nothing else is imported by this."""
    for row in ENTRIES:
        if row.id not in gymnasium.registry:
            # Gymnasium has no face for many agents: there the entry point says what to use.
            single = row.entry_point if "single" in row.faces else f"multi_agent:{row.name}"
            gymnasium.register(
                row.id,
                entry_point=f"{__package__}.{single}",
                vector_entry_point=f"{__package__}.vector:{row.name}",
                nondeterministic=False,
            )
