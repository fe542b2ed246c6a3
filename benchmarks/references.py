"""Compute the reference scores of every environment and preset into `assets/references.json`.

Run after adding an environment, or a new version of one.
"""

import dataclasses
import json
from pathlib import Path

from spelunk.envs.kernel.files import write_json
from spelunk.envs.reference import compute
from spelunk.envs.registry import ENTRIES

STORED = Path(__file__).parent.parent / "assets" / "references.json"


def main():
    """Compute them all."""
    found = {}
    for row in ENTRIES:
        for kwargs in ({}, row.preset):
            key = f"{row.id} {json.dumps(kwargs, sort_keys=True)}"
            found[key] = dataclasses.asdict(compute(row.id, **kwargs))
            print(key, found[key]["random"], found[key]["best"])
    write_json(STORED, found)


if __name__ == "__main__":
    main()
