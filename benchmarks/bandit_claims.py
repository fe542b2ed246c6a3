"""Six statements about bandits, measured beside what theory or a table says.

- Sparse linear arms with errors (Dong & Yang 2023): a sparse net and hard thresholding find an arm
  at most 2ε short of the best, where errors that conspire mislead phased elimination.
- Conservative exploration (Li et al. 2023): StepMix and EpsMix never run a policy whose value is
  below the threshold, which UCBVI does, and their regret is at most 2.5 times its.
- Off-policy estimators have the bias and the variance that theory says.
- Gittins and Whittle indices are the published ones, and those of closed forms.
- The integer programme that maximises a network over feasible actions finds what enumeration finds.
- Bandits with knapsacks (Badanidiyuru et al. 2013): with large budgets the earnings come near those
  of the oracle's linear programme.

Each row says what was expected, and whether it came true.
"""

import argparse
import json

from claims import (
    conservative_exploration,
    exact_argmax,
    indices,
    knapsacks,
    off_policy_estimators,
    sparse_arms,
)
from common import RESULTS, write_result

PARTS = {
    "sparse": sparse_arms,
    "conservative": conservative_exploration,
    "off_policy": off_policy_estimators,
    "indices": indices,
    "argmax": exact_argmax,
    "knapsack": knapsacks,
}


def main():
    """Measure, and write `results/bandit_claims.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all, if none is named")
    wanted = parser.parse_args().parts or PARTS
    measured = {part: PARTS[part].measure() for part in wanted}
    path = RESULTS / "bandit_claims.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    write_result("bandit_claims", found | measured)


if __name__ == "__main__":
    main()
