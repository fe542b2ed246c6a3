"""How fast training is: steps a second beside other trainers, seconds to a score, memory.

python benchmarks/training_speed.py [steps] [seconds] [memory]
"""

import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import torch
from common import RESULTS, write_result
from training import loops

import spelunk
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.ppo import PPO, Config
from spelunk.agents.value.replay import Replay

REPEATS = 7
SETTINGS = (loops.Setting(8, 128, 256), loops.Setting(256, 128, 4096))


def steps_per_second(setting, threads):
    """Every contender in turn, again and again, so that all see the same machine."""
    torch.set_num_threads(threads)
    names = [n for n in loops.CONTENDERS if setting.envs <= 8 or "Minigrid" not in n]
    iterations = {name: loops.CONTENDERS[name](setting) for name in names}
    for iteration in iterations.values():
        iteration()
        iteration()
    times = {name: [] for name in names}
    for _ in range(REPEATS):
        for name, iteration in iterations.items():
            begin = time.perf_counter()
            iteration()
            times[name].append(time.perf_counter() - begin)
    return {name: setting.batch / statistics.median(found) for name, found in times.items()}


def speeds():
    """Steps a second of each setting, on one thread and on two; each in a process of its own."""
    rows = []
    for setting in SETTINGS:
        for threads in (1, 2):
            argument = json.dumps({**dataclasses.asdict(setting), "threads": threads})
            rates = in_process("one", argument, threads)
            rows.append({**dataclasses.asdict(setting), "threads": threads, "rates": rates})
            print(setting, threads, {k: round(v) for k, v in rates.items()}, flush=True)
    return rows


def in_process(what, argument, threads):
    """The JSON that this script prints when it is started for one figure."""
    environment = {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, __file__, what, argument], capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


# --- seconds to a score --------------------------------------------------------------------------

#: Steps after which a trainer is given up. Ours on DoorKey-5×5 is the best of seven set-ups; SB3's
#: there is one known to work well. On DoorKey-8×8 neither was searched for.
LIMIT = {5: 400_000, 8: 4_000_000}
SECONDS_LIMIT = 150
OURS = {5: (32, 64, 4, 2e-3), 8: (256, 128, 8, 1e-3)}


def ours_to_score(size, seed):
    """Seconds until the mean return of all lanes' latest episodes is 0.9 on the scale of scores."""
    n, steps, minibatches, rate = OURS[size]
    config = Config(
        num_steps=steps, num_minibatches=minibatches, learning_rate=rate,
        anneal_learning_rate=False,
    )  # fmt: skip
    reference = spelunk.reference("spelunk/DoorKey-v0", size=size)
    begin = time.perf_counter()
    trainer = PPO(Task("spelunk/DoorKey-v0", LIMIT[size], n, {"size": size}, seed), config)
    while trainer.env_steps < LIMIT[size] and time.perf_counter() - begin < SECONDS_LIMIT:
        found = trainer.step().get("return_mean")
        if found is not None and reference.normalize(found) >= 0.9:
            return {"seconds": time.perf_counter() - begin, "steps": trainer.env_steps}
    return {"seconds": None, "steps": trainer.env_steps}


def theirs_to_score(size, seed):
    """The same for SB3 on Minigrid, over the latest hundred episodes."""
    import stable_baselines3
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

    setting = loops.Setting({5: 8, 8: 16}[size], {5: 128, 8: 256}[size], 256, size=size)
    reference = spelunk.reference("spelunk/DoorKey-v0", size=size)
    begin = time.perf_counter()

    class Stop(BaseCallback):
        """Ends the training at the score or the limit."""

        reached = False

        def _on_step(self):
            return not self.reached and time.perf_counter() - begin < SECONDS_LIMIT

        def _on_rollout_end(self):
            latest = [episode["r"] for episode in self.model.ep_info_buffer or ()]
            if len(latest) == 100:
                self.reached = reference.normalize(statistics.mean(latest)) >= 0.9

    model = stable_baselines3.PPO(
        "MlpPolicy", VecMonitor(DummyVecEnv(loops.minigrid(setting))), n_steps=setting.steps,
        batch_size=256, n_epochs=4, learning_rate=7e-4, ent_coef=0.01, seed=seed, device="cpu",
        gae_lambda={5: 0.95, 8: 0.98}[size],
    )  # fmt: skip
    stop = Stop()
    model.learn(LIMIT[size], callback=stop)
    seconds = time.perf_counter() - begin if stop.reached else None
    return {"seconds": seconds, "steps": model.num_timesteps}


def seconds_to_score():
    """Both sizes, several seeds; processes of their own, so that compiling counts."""
    rows = []
    for size, seeds in ((5, range(5)), (8, range(3))):
        for who in ("ours", "theirs"):
            runs = []
            for seed in seeds:
                runs.append(in_process(who, json.dumps({"size": size, "seed": seed}), 2))
                print(size, who, runs[-1], flush=True)
            rows.append({"size": size, "who": who, "runs": runs})
    return rows


# --- memory --------------------------------------------------------------------------------------


def peak_memory(num_envs):
    """Peak resident bytes of three updates with so many environments."""
    task = Task("spelunk/DoorKey-v0", 10**9, num_envs)
    trainer = PPO(task, Config())
    for _ in range(3):
        trainer.step()
    return peak()


def replay_memory(capacity):
    """What a full replay of DoorKey takes, beside the size that it computes."""
    rows, lanes = torch.zeros((64, 147), dtype=torch.uint8), 64
    before = peak()
    replay = Replay(capacity, rows, None, n_steps=1, gamma=0.99, device="cpu")
    replay.look(rows, None)
    ended = torch.zeros(lanes, dtype=torch.bool)
    for _ in range(capacity // lanes + 1):
        replay.add(torch.zeros(lanes), torch.zeros(lanes), ended, ended, None)
        replay.look(rows, None)
    return {"computed": replay.nbytes, "measured": peak() - before}


def peak():
    """Peak resident bytes of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def memory():
    """Each figure from a process of its own."""
    return {
        "training": {n: in_process("peak", str(n), 2) for n in (256, 4096)},
        "replay": {"transitions": 10**6, **in_process("replay", str(10**6), 1)},
    }


PARTS = {"steps": speeds, "seconds": seconds_to_score, "memory": memory}


def main():
    """Measure the parts named, or all, and write `results/training_speed.json`."""
    path = RESULTS / "training_speed.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for name in sys.argv[1:] or PARTS:
        found[name] = PARTS[name]()
        write_result("training_speed", {n: found[n] for n in PARTS if n in found})


def one(what, argument):
    """Print one figure as JSON."""
    given = json.loads(argument)
    if what == "one":
        threads = given.pop("threads")
        return steps_per_second(loops.Setting(**given), threads)
    if what in ("ours", "theirs"):
        return (ours_to_score if what == "ours" else theirs_to_score)(**given)
    return (peak_memory if what == "peak" else replay_memory)(given)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in ("one", "ours", "theirs", "peak", "replay"):
        print(json.dumps(one(*sys.argv[1:])))
    else:
        main()
