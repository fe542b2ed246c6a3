"""Run recipes, and keep what came out in results/recipes.json: verdicts, and figures of every arm.

`python benchmarks/recipes.py grpo entropy-table --workers 2`. What was stopped goes on where it was
(runs/recipes); recipes that are not named keep their figures.
"""

import argparse
import json
from pathlib import Path

from common import RESULTS, write_result

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
    stored = RESULTS / "recipes.json"
    for name in asked.names:
        found = run(recipe(name), asked.scale, asked.seeds, FOLDER, asked.workers, print)
        kept = json.loads(stored.read_text())["recipes"] if stored.exists() else {}
        write_result("recipes", {"recipes": {**kept, name: found}})
        print(json.dumps(found["checks"], indent=1))


if __name__ == "__main__":
    main()
