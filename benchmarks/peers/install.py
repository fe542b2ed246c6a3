"""`make peers`: a virtual environment for each peer, of the versions that its `.txt` pins.

A peer that cannot be installed stops no other: `.venvs/<peer>.failed.txt` says why.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
VENVS = HERE.parents[1] / ".venvs"


def install(requirements):
    """Build the environment anew unless it is there with these very versions; how that went."""
    venv, wanted = VENVS / requirements.stem, requirements.read_text()
    installed, failed = venv / "installed.txt", VENVS / f"{requirements.stem}.failed.txt"
    if installed.exists() and installed.read_text() == wanted:
        return "is installed"
    failed.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
    command = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", requirements]
    pip = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if pip.returncode == 0:
        installed.write_text(wanted)
        return "installed"
    shutil.rmtree(venv)
    failed.write_text(reason(pip.stderr) + "\n")
    return f"failed: {failed.read_text().strip()}"


def reason(errors):
    """The last line in which pip, or an exception in a build that it ran, says what is wrong."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"ERROR: |[\w.]+(Error|Exception): ", line)]
    return (telling or lines or ["pip gave no reason"])[-1]


def main():
    """Install every peer there is a `.txt` of."""
    VENVS.mkdir(exist_ok=True)
    for requirements in sorted(HERE.glob("*.txt")):
        print(f"{requirements.stem}: ", end="", flush=True)
        print(install(requirements), flush=True)


if __name__ == "__main__":
    main()
