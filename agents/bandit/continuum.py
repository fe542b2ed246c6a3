"""What algorithms for a continuum of arms ask of their problem."""

from ...envs.kernel import InvalidArgumentError, UnsupportedFaceError
from .agent import BanditAgent, Problem


def check_places(agent: BanditAgent, problem: Problem) -> None:
    """See that the arms are the places of a unit cube.

    Raises:
        UnsupportedFaceError: they are something else.
    """
    space = problem.env.action_space
    low, high = getattr(space, "low", None), getattr(space, "high", None)
    if low is None or high is None or problem.arms > 3 or low.any() or (high != 1).any():
        raise UnsupportedFaceError(
            f"{type(agent).__name__} needs actions in [0, 1] of 1 to 3 dimensions, as "
            f"LipschitzBandit has them; got {space}"
        )


def lipschitz_constant(given: float | None, problem: Problem) -> float:
    """The constant that was given, or else that of the environment.

    Raises:
        InvalidArgumentError: there is neither.
    """
    constant = getattr(problem.env, "lipschitz", None) if given is None else given
    if constant is None or not constant > 0:
        raise InvalidArgumentError(f"lipschitz must be a number above 0; got {constant!r}")
    return float(constant)
