"""critique-grpo: wrong answers are criticised, and their corrections learned without the critique.

Both arms give as many answers: an update of GRPO plays 8 for each start, one with critiques 6, and
corrects at most 2 of the wrong ones. The number of episodes that a training may play is the same.
"""

from .recipe import Recipe, above


def _with_critiques(form: str) -> dict[str, object]:
    return {
        "group_size": 6,
        "editors": (f"refine(form='{form}', answers=2)",),
        "transforms": ("critique_shape",),
    }


RECIPE = Recipe(
    name="critique-grpo",
    paper="Critique-GRPO: Advancing LLM Reasoning with Natural Language and Numerical Feedback "
    "(2025)",
    claim="about 4.5 points more pass@1 than baselines with a model of 7 billion parameters, and "
    "16.7 more on AIME24 than GRPO with critiques of its own",
    differs="a model of about 0.2 million parameters, trained from scratch, on arithmetic with "
    "three numbers; it has imitated corrections of its own wrong answers, and so has the "
    "baseline; the environment is the critic; only wrong answers are corrected, at most two of "
    "six, and all corrections are kept; advantages are divided by the group's deviation, as the "
    "baseline's; as many answers in both arms",
    bed="countdown-critique",
    baseline="grpo",
    arms={
        "grpo": {},
        "indicator": _with_critiques("indicator"),
        "full": _with_critiques("full"),
    },
    lanes={"indicator": 192, "full": 192},
    gate=(
        above("hard_pass_1", "full", "grpo"),
        above("pass_1", "full", "grpo", -0.01),
    ),
)
