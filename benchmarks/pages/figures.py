"""What the pages are made of: stored figures and Markdown tables."""

import json

from common import RESULTS


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def measured(name):
    """Whether a benchmark has been run."""
    return (RESULTS / f"{name}.json").exists()


def read(name):
    """The figures of a benchmark."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def rate(steps):
    """Steps a second."""
    return f"{steps / 1e6:.2f} M steps/s"
