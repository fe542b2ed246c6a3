"""What every benchmark writes down: its figures, and the machine and versions they come from."""

import os
import platform
from pathlib import Path
from typing import Any

from spelunk.agents.core.run import versions
from spelunk.envs.kernel.files import write_json

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """The processor, the number of its cores, and the operating system."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if "model name" in line), model)
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform(terse=True)}


def write_result(name: str, payload: dict[str, Any]) -> Path:
    """Write `results/<name>.json`: the figures with the machine and versions beside them."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    write_json(path, {**payload, "machine": machine(), "versions": versions()})
    return path
