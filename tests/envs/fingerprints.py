"""Store the fingerprints of all environments: `python -m tests.envs.fingerprints`.

Only for new environments and new versions: a fingerprint that changes without one is a mistake.
"""

import json

from .test_contract import FINGERPRINTS, SUBJECTS, fingerprint, name


def main():
    found = {name(subject): fingerprint(subject) for subject in SUBJECTS}
    FINGERPRINTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
