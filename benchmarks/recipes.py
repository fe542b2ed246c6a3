"""Run recipes, and keep what came out in results/recipes.json: verdicts, and figures of every arm.

`python benchmarks/recipes.py grpo entropy-table --workers 2`. What was stopped goes on where it was
(runs/recipes), trainings that are in the results already are not run again, and recipes that are
not named keep their figures.
"""

import argparse
import json
from pathlib import Path

from common import write_result
from pages.figures import measured, read

from spelunk.agents.recipes.registry import MODULES, recipe
from spelunk.agents.recipes.run import SCALES, run

FOLDER = Path("runs/recipes")


def main():
    """Run the recipes that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*MODULES])
    parser.add_argument("--scale", choices=SCALES, default="laptop")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    for name in asked.names:
        known = trainings(stored())
        found = run(recipe(name), asked.scale, asked.seeds, FOLDER, asked.workers, print, known)
        # Others may have come to an end meanwhile.
        write_result("recipes", {"recipes": {**stored(), name: found}})
        print(json.dumps(found["checks"], indent=1))


def stored():
    """What has been kept of recipes, by name."""
    return read("recipes")["recipes"] if measured("recipes") else {}


def trainings(kept):
    """The figures of all trainings in results, by the name of their folder."""
    return {
        name: figures
        for found in kept.values()
        for arm, names in found["trainings"].items()
        for name, figures in zip(names, found["table"][arm], strict=True)
    }


if __name__ == "__main__":
    main()
