"""PufferLib's games in C, on one thread; `benchmarks/games.py` plays spelunk's beside them.

Its package asks the net for more than a package index has, and compiles all of its games. So pip
only unpacks the source distribution, and the three games that are played are compiled here, with
the compiler flags of its own `setup.py`.
"""

# Pyright takes this file for the package of its name.
# pyright: reportAttributeAccessIssue=false

import importlib
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from setuptools import Distribution, Extension
from slices import Game, serve

RELEASE = "pufferlib==3.0.0"
SOURCE = Path(sys.prefix) / "pufferlib"
ENVS = (1024, 4096, 16384)

# What it calls a game: the class, the number of actions, and how seldom it gathers its statistics,
# which two of the games do at every step unless told otherwise.
GAMES = {
    "squared": ("Squared", 5, {"log_interval": 128}),
    "cartpole": ("Cartpole", 2, {"report_interval": 128}),
    "tripletriad": ("TripleTriad", 14, {"report_interval": 128}),
}


def unpack():
    """Keep what pip has unpacked when the package's own build fails."""
    options = ("--no-deps", "--no-binary=:all:", "--no-build-isolation", "--no-clean")
    with tempfile.TemporaryDirectory(dir=sys.prefix) as scratch:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", *options, RELEASE],
            cwd=scratch,
            env={**os.environ, "TMPDIR": scratch},
            stdout=sys.stderr,
            check=False,
        )
        found = [*Path(scratch).glob("pip-*/pufferlib_*")]
        if not found:
            sys.exit(f"pip could not unpack {RELEASE}")
        found[0].rename(SOURCE)


def build():
    """Compile the games, in the source distribution's folder."""
    (raylib,) = Path().glob("raylib-*_linux_amd64")
    flags = ["-O2", "-flto", "-DPLATFORM_DESKTOP", "-Wno-implicit-function-declaration"]
    extensions = [
        Extension(
            f"pufferlib.ocean.{game}.binding",
            [f"pufferlib/ocean/{game}/binding.c"],
            include_dirs=[np.get_include(), f"{raylib}/include"],
            extra_objects=[f"{raylib}/lib/libraylib.a"],
            extra_compile_args=flags,
            extra_link_args=["-O2", "-fwrapv"],
        )
        for game in GAMES
    ]
    command = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
    command.inplace = True
    command.ensure_finalized()
    command.run()


def make(game, envs):
    """The game's module and batch, reset, and actions in the dtype that it keeps them in."""
    module = importlib.import_module(f"pufferlib.ocean.{game}.{game}")
    name, actions, arguments = GAMES[game]
    env = getattr(module, name)(num_envs=envs, **arguments)
    env.reset(seed=0)
    drawn = np.random.default_rng(0).integers(0, actions, (64, envs))
    return module, env, drawn.astype(env.actions.dtype)


def in_python(game, envs):
    """By `step` of its Python class."""
    _, env, actions = make(game, envs)

    def play():
        for drawn in actions:
            env.step(drawn)
        return actions.size

    return play


def in_c(game, envs):
    """By its loop in C, with no more of Python around it than the copy of the actions."""
    module, env, actions = make(game, envs)

    def play():
        for drawn in actions:
            env.actions[:] = drawn
            module.binding.vec_step(env.c_envs)
        return actions.size

    return play


if __name__ == "__main__":
    if not SOURCE.exists():
        unpack()
    os.chdir(SOURCE)  # where it looks for its resources, and for what it links with
    if not all([*Path("pufferlib/ocean", game).glob("binding*.so")] for game in GAMES):
        build()
    sys.path.append(str(SOURCE))
    serve(
        "pufferlib",
        {
            f"{game}, {envs} environments": Game(
                {"step": partial(in_python, game, envs), "vec_step": partial(in_c, game, envs)},
                target=0.9,
            )
            for game in GAMES
            for envs in ENVS
        },
    )
