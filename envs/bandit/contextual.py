"""ContextualBandit: what an arm pays depends on a context that is new in every round."""

import math
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout
from . import contextual_kernels as rules
from .core import ACCOUNT, METRICS, counted, read_integer, read_number
from .features import draw_context, draw_features, read_array, square, vector_words
from .tables import Table, read_table

Array = np.ndarray[Any, Any]

#: The arm taken last and what it paid, for words and pictures.
_LAST = [("chosen", np.int32), ("paid", np.float64)]


class ContextualBandit(KernelEnv):
    """
    ## Description
    In each round the agent sees a context and pulls one of several arms, whose mean reward depends
    on the context in an unknown but fixed way. The mean rewards are linear, as in Li, Chu, Langford
    & Schapire 2010, "A contextual-bandit approach to personalized news article recommendation";
    or the rounds are rows of a table, the arms are the classes, and only the right class pays, so
    that any classification problem becomes a bandit (Beygelzimer & Langford 2009, "The offset tree
    for learning with partial labels").

    ## Observation Space
    - `model="shared"`: `Box(−1/√dimension, 1/√dimension, (arms, dimension), float32)`: the features
      of each arm. All arms share one vector of parameters.
    - `model="disjoint"`: `Box(−1/√dimension, 1/√dimension, (dimension,), float32)`: the context.
      Each arm has parameters of its own.
    - with `data`: `Box(least, largest, (dimension,), float32)`: the row.

    Features and contexts are drawn anew in each round, each entry uniformly; they are no longer
    than 1. Rows are drawn uniformly, with replacement.

    ## Action Space
    `Discrete(arms)`: the arm to pull. Every action is always legal.

    ## Rewards
    The inner product of the features (or the context) with the parameters, with Gaussian noise of
    standard deviation `noise` added. With `data`: 1 for the right class, otherwise 0.

    The infos hold `regret`, the mean reward of the best arm in that context minus that of the arm
    pulled, and `pseudo_regret`, its sum over the episode.

    ## Starting State
    The parameters are drawn on the unit sphere for each episode, or are those of `theta`. A first
    context is drawn.

    ## Episode End
    Terminated after `horizon` rounds: the horizon belongs to the problem. There is no other time
    limit by default.

    ## Arguments
    - `arms`: the number of arms, ≥ 2 (default 5); with `data` there are as many as classes.
    - `dimension`: of features and contexts, ≥ 1 (default 5); with `data` that of its rows.
    - `model`: `"shared"` (default) or `"disjoint"`.
    - `theta`: the parameters, `dimension` numbers for `"shared"`, `arms` rows of them for
      `"disjoint"`; None (default) to draw them. They give the number of arms and the dimension.
    - `noise`: the standard deviation of the noise, ≥ 0 (default 0.1).
    - `data`: None (default), `"digits"` (scikit-learn's 8×8 handwritten digits), the path of an
      `.npz` file with arrays `X` and `y`, or `(X, y)`; see `tables.read_table`. What makes
      synthetic problems cannot be given with it.
    - `horizon`: the number of rounds, ≥ 1 (default 100).
    - `max_episode_steps`: a time limit besides the horizon (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/ContextualBandit-v0")`: the random policy, and the oracle that knows
    the parameters (with `data` the labels) and pulls the best arm in each round. Contexts do not
    depend on actions, so its score is exact but for the noise, whose mean is 0.

    ## Version History
    - v0: first version.
    """

    best_source = "the oracle that knows the mean rewards: the best one of each round, summed"

    def __init__(
        self,
        arms: int | None = None,
        dimension: int | None = None,
        model: Literal["shared", "disjoint"] = "shared",
        theta: Any = None,
        noise: float = 0.1,
        data: Any = None,
        horizon: int = 100,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        if model not in ("shared", "disjoint"):
            raise InvalidArgumentError(f'model must be "shared" or "disjoint"; got {model!r}')
        self.horizon = read_integer("horizon", horizon, 1)
        self.table: Table | None = None
        self.model_kind = model
        if data is None:
            made = self._synthetic(arms, dimension, theta, read_number("noise", noise, 0.0))
        else:
            if (arms, dimension, theta) != (None, None, None) or model != "shared":
                raise InvalidArgumentError(
                    "data says what arms and dimension are: arms, dimension, model and theta must "
                    "be left out with it"
                )
            self.table = read_table(data)
            made = self._tabular(self.table)
        super().__init__(
            **made,
            action_space=spaces.Discrete(self.arms),
            max_episode_steps=max_episode_steps,
            metrics=METRICS,
            stochastic=True,
            render_mode=render_mode,
        )

    def _synthetic(self, arms: Any, dimension: Any, theta: Any, noise: float) -> dict[str, Any]:
        """What is particular to linear rewards."""
        shared = self.model_kind == "shared"
        given = np.empty((0, 0))
        if theta is not None:
            shape = [dimension] if shared else [arms, dimension]
            given = read_array("theta", theta, shape)
            dimension, arms = given.shape[-1], arms if shared else given.shape[0]
            given = np.atleast_2d(given)
        self.arms = read_integer("arms", 5 if arms is None else arms, 2)
        self.dimension = read_integer("dimension", 5 if dimension is None else dimension, 1)
        scale = 1 / math.sqrt(self.dimension)
        self._span = -scale, scale
        rows = (self.arms, self.dimension)
        shape, kinds = (rows, 1) if shared else (rows[1:], self.arms)
        kernels = (
            Kernels(rules.reset_shared, rules.step_shared, rules.observe_shared)
            if shared
            else Kernels(rules.reset_disjoint, rules.step_disjoint, rules.observe_disjoint)
        )
        return {
            "kernels": kernels,
            "layout": StateLayout(
                [("theta", np.float64, (kinds, self.dimension))],
                [("features", np.float32, shape)],
                [
                    *ACCOUNT,
                    ("means", np.float64, (self.arms,)),
                    ("best_mean", np.float64),
                    *_LAST,
                ],
            ),
            "params": rules.Params(self.horizon, noise, scale, given),
            "observation_space": spaces.Box(-scale, scale, shape, np.float32),
        }

    def _tabular(self, table: Table) -> dict[str, Any]:
        """What is particular to tables."""
        self.arms, self.dimension = len(table.names), table.rows.shape[1]
        self._span = float(table.rows.min()), float(table.rows.max())
        return {
            "kernels": Kernels(rules.reset_table, rules.step_table, rules.observe_table),
            "layout": StateLayout([], [("row", np.int32)], [*ACCOUNT, *_LAST]),
            "params": rules.TableParams(self.horizon, table.rows, table.labels),
            "observation_space": spaces.Box(*self._span, (self.dimension,), np.float32),
        }

    def _means(self, state: Any) -> Array:
        """The mean reward of each arm in this round, (arms,)."""
        if self.table is None:
            return state["means"]
        return (np.arange(self.arms) == self.table.labels[state["row"]]).astype(float)

    def _context(self, state: Any) -> Array:
        return state["features"] if self.table is None else self.table.rows[state["row"]]

    def _left(self, state: Any) -> str:
        return f"{counted(self.horizon - int(state['step_count']), 'round')} left"

    def describe_state(self, state: Any) -> str:
        words = [f"There are {self.arms} arms."]
        if self.table is not None:
            words[0] = f"There are {self.arms} classes: {', '.join(self.table.names)}."
        if state["chosen"] >= 0:
            words.append(
                f"Your last answer, {self.action_words(state['chosen'])}, paid {state['paid']:.2f}."
            )
        context = self._context(state)
        if context.ndim == 2:
            rows = (f"arm {k + 1} {vector_words(row)}" for k, row in enumerate(context))
            words.append(f"Their features now: {'; '.join(rows)}.")
        else:
            words.append(f"The context now: {vector_words(context)}.")
        return f"{' '.join(words)} {self._left(state)}."

    def action_words(self, action: Any) -> str:
        if self.table is None:
            return f"pull {int(action) + 1}"
        return f"class {' '.join(self.table.names[int(action)].lower().split())}"

    def show_state(self, state: Any) -> str:
        rows = square(self._context(state))
        lines = [" ".join(f"{value:6.2f}" for value in row) for row in rows]
        return "\n".join([*lines, self._left(state)])

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        context, chosen = self._context(state), int(state["chosen"])
        regret = float(state["pseudo_regret"])
        if context.ndim == 2:
            return draw_features(
                context,
                self._means(state),
                chosen=chosen,
                left=self._left(state),
                regret=regret,
            )
        return draw_context(
            context,
            self._means(state),
            self.table.names if self.table else [str(arm + 1) for arm in range(self.arms)],
            span=self._span,
            chosen=chosen,
            left=self._left(state),
            regret=regret,
        )

    def best_return(self, seed: int) -> float | None:
        if self.table is not None:
            return float(self.horizon)
        state = self.model.reset([seed])[0]
        total, step = 0.0, self.definition.kernels.step
        for _ in range(self.horizon):
            total += float(state["best_mean"])
            step(state, 0, self.definition.params)
        return total
