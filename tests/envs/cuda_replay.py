"""Episodes of a batch, recorded on the CPU and played again on a GPU or in Numba's simulator.

As a program, under `NUMBA_ENABLE_CUDASIM=1`: `python cuda_replay.py FILE`. The simulator can only
be switched on for a whole process.
"""

import pickle
import sys
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

LANES, STEPS = 7, 40
MODES = ("next_step", "same_step", "disabled")


def record(id: str, kwargs: dict[str, Any], mode: str) -> dict[str, Any]:
    """Play on the CPU: the arguments, the actions and everything that was handed out."""
    batch = _make(id, kwargs, mode)
    actions = _draw_actions(batch)
    return {"made": (id, kwargs, mode), "actions": actions, "outputs": play(batch, actions)}


def replay(recorded: dict[str, Any]) -> None:
    """Play the same on `device="cuda"`, and compare bit by bit."""
    batch = _make(*recorded["made"], device="cuda")
    found = play(batch, recorded["actions"])
    for t, (a, b) in enumerate(zip(recorded["outputs"], found, strict=True)):
        assert a.keys() == b.keys(), f"step {t}: {a.keys() ^ b.keys()}"
        for name in a:
            assert a[name].dtype == b[name].dtype, f"step {t}: {name}: {b[name].dtype}"
            assert a[name].tobytes() == b[name].tobytes(), f"step {t}: {name}\n{a[name]}\n{b[name]}"


def play(batch: Any, actions: list[Any]) -> list[dict[str, np.ndarray[Any, Any]]]:
    """What resets and steps with these actions hand out, and the states at the end."""
    outputs = [_reset_outputs(*batch.reset(seed=30))]
    over = np.zeros(LANES, bool)
    for t, action in enumerate(actions):
        disabled = batch.metadata["autoreset_mode"] is AutoresetMode.DISABLED
        chosen = over & disabled
        chosen[t % LANES] |= t in (5, 9)
        if chosen.any():
            outputs.append(_reset_outputs(*batch.reset(options={"reset_mask": chosen})))
        observations, rewards, terminated, truncated, infos = batch.step(action)
        out = _reset_outputs(observations, infos)
        out |= {"rewards": _array(rewards), "terminated": _array(terminated)}
        out["truncated"] = _array(truncated)
        terminated = out["terminated"].reshape(LANES, -1).all(axis=1)  # by all agents
        over = terminated | out["truncated"]
        if "final_obs" in infos:
            final, info = infos["final_obs"], infos["final_info"]
            parts = final if isinstance(final, dict) else {"final_obs": final}
            out |= {f"final {k}": _array(v)[over] for k, v in parts.items()}
            out |= {f"final_info {k}": _array(v)[over] for k, v in info.items()}
        if "episode" in infos:
            out |= {f"episode {k}": _array(v)[over] for k, v in infos["episode"].items()}
        if not over.any():
            # On a GPU the entries are there all the same.
            out = {k: v for k, v in out.items() if not k.startswith(("final", "episode"))}
        outputs.append(out)
    records = batch.records()
    keys = batch.keys() if hasattr(batch, "keys") else batch.prototype.model.key(records)
    outputs.append({name: records[name].copy() for name in records.dtype.names})
    outputs[-1]["keys"] = _array(keys).view(np.int64)
    return outputs


def _make(id: str, kwargs: dict[str, Any], mode: str, **more: Any) -> Any:
    return gymnasium.make_vec(id, num_envs=LANES, autoreset_mode=mode, **{**kwargs, **more})


def _draw_actions(batch: Any) -> list[Any]:
    """Legal actions, drawn while the episodes that `play` will play are played."""
    rng, drawn = np.random.default_rng(31), []

    class Drawing:
        def __getattr__(self, name: str) -> Any:
            return getattr(batch, name)

        def step(self, _: Any) -> Any:
            drawn.append(batch.sample_actions(rng))
            return batch.step(drawn[-1])

    play(Drawing(), [None] * STEPS)
    return drawn


def _reset_outputs(observations: Any, infos: dict[str, Any]) -> dict[str, Any]:
    parts = observations if isinstance(observations, dict) else {"obs": observations}
    skipped = ("final_obs", "final_info", "episode")
    kept = {k: v for k, v in infos.items() if k.lstrip("_") not in skipped}
    return {name: _array(value).copy() for name, value in {**parts, **kept}.items()}


def _array(values: Any) -> np.ndarray[Any, Any]:
    return values.cpu().numpy() if hasattr(values, "cpu") else np.asarray(values)


if __name__ == "__main__":
    import spelunk  # noqa: F401

    with open(sys.argv[1], "rb") as file:
        for each in pickle.load(file):
            replay(each)
