"""LinearBandit: arms are vectors, and mean rewards nearly a linear function of them."""

from typing import Any

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout
from . import linear_kernels as rules
from .core import ACCOUNT, METRICS, counted, read_integer, read_number
from .features import draw_features, read_array, vector_words

Array = np.ndarray[Any, Any]


class LinearBandit(KernelEnv):
    """
    ## Description
    Each arm is a known vector of features, and its mean reward is the inner product of the features
    with an unknown unit vector θ, so that pulling one arm teaches about all (Auer 2002, "Using
    confidence bounds for exploitation-exploration trade-offs"). θ may be sparse, and the model may
    be wrong by up to ε for each arm, in a way that no linear function explains (Du, Kakade, Wang &
    Yang 2020, "Is a good representation sufficient for sample efficient reinforcement learning?").

    ## Observation Space
    `Box(−∞, ∞, (arms, dimension + 2), float32)`: for each arm its features, which stay the same
    throughout an episode; the number of its pulls divided by the horizon; and its mean reward so
    far (0 before the first). Together they are a sufficient statistic of the episode so far.

    ## Action Space
    `Discrete(arms)`: the arm to pull. Every action is always legal.

    ## Rewards
    ⟨θ, a⟩ + Δ(a) for the arm a, with Gaussian noise of standard deviation `noise` added; Δ is the
    error of the linear model, |Δ| ≤ ε.

    The infos hold `regret`, the best arm's mean minus the mean of the arm just pulled, and
    `pseudo_regret`, its sum over the episode.

    ## Starting State
    For each episode the arms are drawn on the unit sphere, or are those of `features`; θ is drawn
    on the unit sphere among the vectors with `sparsity` entries other than 0, or is that of
    `theta`. With ε > 0 the errors are drawn, too:
    - `error="random"`: uniform from −ε to ε for each arm;
    - `error="truncate"`: opposite to the linear part, so that means within ε of 0 are hidden:
      Δ(a) = −⟨θ, a⟩ where that is at most ε in size, otherwise ∓ε;
    - `error="adversarial"`: ε⟨σ, a⟩ for hidden signs σ, cut at ±ε. Arms with few entries follow the
      wrong parameters θ + εσ to the letter, and who believes in those overrates an arm along σ by
      about ε√dimension.

    ## Episode End
    Terminated after `horizon` pulls: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 10, or as many as `features` has rows).
    - `dimension`: the number of features, ≥ 1 (default 5, or as many as `features` or `theta` has).
    - `features`: the arms, rows of `dimension` numbers; None (default) to draw them.
    - `theta`: the parameters, `dimension` numbers of any length; None (default) to draw them.
    - `sparsity`: how many entries of a drawn θ are not 0, 1 to `dimension`; None (default) for all.
    - `misspecification`: ε ≥ 0 (default 0).
    - `error`: `"random"` (default), `"truncate"`, `"adversarial"`, or the errors themselves, one
      for each arm.
    - `noise`: the standard deviation of the noise, ≥ 0 (default 0.1).
    - `horizon`: the number of pulls, ≥ 1 (default 50).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/LinearBandit-v0")`: the random policy, and the oracle that knows the
    means and pulls the best arm every time, `horizon · max(means)` in expectation.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that knows the means: horizon × largest mean"

    def __init__(
        self,
        arms: int | None = None,
        dimension: int | None = None,
        features: Any = None,
        theta: Any = None,
        sparsity: int | None = None,
        misspecification: float = 0.0,
        error: Any = "random",
        noise: float = 0.1,
        horizon: int = 50,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        given, direction = self._read_vectors(arms, dimension, features, theta)
        self.sparsity = self._read_sparsity(sparsity, theta)
        self.misspecification = read_number("misspecification", misspecification, 0.0)
        kind, errors = self._read_errors(error)
        self.horizon = read_integer("horizon", horizon, 1)
        drawn = features is None
        d = self.dimension
        super().__init__(
            kernels=Kernels(
                rules.reset_drawn if drawn else rules.reset_given,
                rules.step,
                rules.observe_drawn if drawn else rules.observe_given,
                update=rules.update,
            ),
            layout=StateLayout(
                [
                    ("theta", np.float64, (d,)),
                    ("signs", np.float64, (d,)),
                    *([("features", np.float32, (self.arms, d))] if drawn else []),
                    ("means", np.float64, (self.arms,)),
                    ("best_mean", np.float64),
                ],
                [("pulls", np.int32, (self.arms,)), ("sums", np.float64, (self.arms,))],
                [*ACCOUNT, ("pulled", np.int32)],
            ),
            params=rules.Params(
                self.horizon,
                read_number("noise", noise, 0.0),
                self.sparsity,
                self.misspecification,
                kind,
                given,
                direction,
                errors,
            ),
            observation_space=spaces.Box(-np.inf, np.inf, (self.arms, d + 2), np.float32),
            action_space=spaces.Discrete(self.arms),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def _read_vectors(
        self, arms: int | None, dimension: int | None, features: Any, theta: Any
    ) -> tuple[Array, Array]:
        """The given features and parameters, empty where they are drawn; sets the sizes."""
        given, direction = np.empty((0, 0), np.float32), np.empty(0)
        if features is not None:
            given = read_array("features", features, [arms, dimension]).astype(np.float32)
            arms, dimension = given.shape
        if theta is not None:
            direction = read_array("theta", theta, [dimension])
            dimension = len(direction)
        self.arms = read_integer("arms", 10 if arms is None else arms, 2)
        self.dimension = read_integer("dimension", 5 if dimension is None else dimension, 1)
        return given, direction

    def _read_sparsity(self, sparsity: int | None, theta: Any) -> int:
        """How many entries of a drawn θ are not 0."""
        if sparsity is None:
            return self.dimension
        sparsity = read_integer("sparsity", sparsity, 1)
        if sparsity > self.dimension or theta is not None:
            raise InvalidArgumentError(
                f"sparsity must be at most dimension={self.dimension}, and left out where theta "
                f"is given; got {sparsity}"
            )
        return sparsity

    def _read_errors(self, error: Any) -> tuple[int, Array]:
        """The kind of error, and the errors themselves where they are given."""
        if isinstance(error, str):
            if error not in rules.ERRORS:
                raise InvalidArgumentError(
                    f"error must be one of {list(rules.ERRORS)} or a number for each arm; "
                    f"got {error!r}"
                )
            return rules.ERRORS.index(error), np.empty(0)
        errors = read_array("error", error, [self.arms])
        if abs(errors).max() > self.misspecification:
            raise InvalidArgumentError(
                f"error must not exceed misspecification={self.misspecification:g} in size; "
                f"got one of {abs(errors).max():g}"
            )
        return rules.GIVEN, errors

    def features(self, state: Any) -> Array:
        """The arms of a state, (arms, dimension) `float32`."""
        given = self.definition.params.features
        return given if len(given) else state["features"]

    def _left(self, state: Any) -> str:
        return f"{counted(self.horizon - int(state['step_count']), 'pull')} left"

    def describe_state(self, state: Any) -> str:
        arms = []
        for arm, row in enumerate(self.features(state)):
            pulls = int(state["pulls"][arm])
            paid = f", mean reward {state['sums'][arm] / pulls:.2f}" if pulls else ""
            arms.append(f"arm {arm + 1} {vector_words(row)}, {counted(pulls, 'pull')}{paid}")
        return f"There are {self.arms} arms: {'; '.join(arms)}. {self._left(state)}."

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return draw_features(
            self.features(state),
            state["means"],
            chosen=int(state["pulled"]),
            left=self._left(state),
            regret=float(state["pseudo_regret"]),
        )

    def show_state(self, state: Any) -> str:
        lines = ["arm  pulls   mean  features"]
        for arm, row in enumerate(self.features(state)):
            pulls = int(state["pulls"][arm])
            mean = f"{state['sums'][arm] / pulls:6.2f}" if pulls else "     –"
            lines.append(f"{arm + 1:3d}  {pulls:5d} {mean}  {' '.join(f'{v:5.2f}' for v in row)}")
        return "\n".join([*lines, self._left(state)])

    def action_words(self, action: Any) -> str:
        return f"pull {int(action) + 1}"

    def best_return(self, seed: int) -> float | None:
        return self.horizon * float(self.model.reset([seed])["best_mean"][0])
