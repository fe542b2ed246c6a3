"""The `spelunk` command."""

import sys

import gymnasium
import tyro

from ...envs.kernel.errors import SpelunkError
from .commands import Commands
from .overrides import split

_ABOUT = """Gymnasium environments for search and exploration, and the agents that explore them.

Arguments of an environment are given as --env.NAME VALUE, those of a trained agent as --agent.NAME
VALUE; `spelunk info ID` lists them."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line; exits with 2 and one line on standard error where it makes no sense."""
    rest, taken = split(sys.argv[1:] if argv is None else argv, ("env", "agent"))
    commands = Commands(env_arguments=taken["env"], agent_arguments=taken["agent"])
    try:
        tyro.extras.subcommand_cli_from_dict(
            {
                "list": commands.list,
                "info": commands.info,
                "play": commands.play,
                "train": commands.train,
                "sweep": commands.sweep,
                "report": commands.report,
                "eval": commands.eval,
                "solve": commands.solve,
                "regret": commands.regret,
                "heuristic": commands.heuristic,
                "world": commands.world,
                "bench": commands.bench,
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
