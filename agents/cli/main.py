"""The `spelunk` command."""

import sys

import gymnasium
import tyro

from ...envs.kernel.errors import SpelunkError
from .agent_commands import AgentCommands
from .environment_commands import EnvironmentCommands
from .overrides import split

_ABOUT = """Gymnasium environments for search and exploration, and the agents that explore them.

Arguments of an environment are given as --env.NAME VALUE, those of a trained agent as --agent.NAME
VALUE; `spelunk info ID` lists them."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line; exits with 2 and one line on standard error where it makes no sense."""
    rest, taken = split(sys.argv[1:] if argv is None else argv, ("env", "agent"))
    environments = EnvironmentCommands(taken["env"], taken["agent"])
    agents = AgentCommands(taken["env"], taken["agent"])
    try:
        tyro.extras.subcommand_cli_from_dict(
            {
                "list": environments.list,
                "info": environments.info,
                "play": environments.play,
                "train": agents.train,
                "sweep": agents.sweep,
                "report": agents.report,
                "eval": agents.eval,
                "solve": agents.solve,
                "regret": agents.regret,
                "heuristic": agents.heuristic,
                "world": environments.world,
                "bench": environments.bench,
                "recipe": agents.recipe,
            },
            prog="spelunk",
            description=_ABOUT,
            args=rest,
        )
    except (SpelunkError, gymnasium.error.Error) as error:
        print(f"spelunk: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
