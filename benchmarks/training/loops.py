"""Trainers to measure beside ours, each at the same network, batches and number of epochs.

A contender is a function that takes a `Setting` and gives a function that makes one iteration:
`envs · steps` environment steps and all that is learned from them.
"""

import functools
from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
from torch import nn

import spelunk
from spelunk.agents.core.trainer import Task
from spelunk.agents.policy.ppo import PPO, Config


@dataclass(frozen=True)
class Setting:
    """What all contenders have in common.

    Attributes:
        envs: environments side by side.
        steps: of each between updates.
        minibatch: transitions of a gradient step.
        epochs: passes over the experience.
        size: of DoorKey.
    """

    envs: int
    steps: int
    minibatch: int
    epochs: int = 4
    size: int = 5

    @property
    def batch(self):
        """Environment steps of an iteration."""
        return self.envs * self.steps


def ours(setting, network="flat"):
    """The trainer of this suite; `flat` is the network that the others have."""
    task = Task("spelunk/DoorKey-v0", 10**9, setting.envs, {"size": setting.size})
    config = Config(
        num_steps=setting.steps, epochs=setting.epochs, learning_rate=7e-4, shared=False,
        num_minibatches=setting.batch // setting.minibatch, network=network,
    )  # fmt: skip
    return PPO(task, config).step


def minigrid(setting):
    """Minigrid's DoorKey with flat pictures of symbols, as a list of constructors."""
    from gymnasium.wrappers import FlattenObservation
    from minigrid.wrappers import ImgObsWrapper

    def make() -> gymnasium.Env:
        name = f"MiniGrid-DoorKey-{setting.size}x{setting.size}-v0"
        return FlattenObservation(ImgObsWrapper(gymnasium.make(name)))

    return [make] * setting.envs


def sb3(setting, env):
    """Stable-Baselines3's PPO with its default network."""
    import stable_baselines3

    model = stable_baselines3.PPO(
        "MlpPolicy", env, n_steps=setting.steps, batch_size=setting.minibatch,
        n_epochs=setting.epochs, learning_rate=7e-4, ent_coef=0.01, device="cpu",
    )  # fmt: skip
    return lambda: model.learn(setting.batch, reset_num_timesteps=False)


def sb3_on_minigrid(setting):
    """SB3 on the environment it is usually trained on."""
    from stable_baselines3.common.vec_env import DummyVecEnv

    return sb3(setting, DummyVecEnv(minigrid(setting)))


def batch_of_ours(setting):
    """This suite's DoorKey."""
    return gymnasium.make_vec(
        "spelunk/DoorKey-v0", num_envs=setting.envs, size=setting.size, autoreset_mode="SAME_STEP"
    )


def sb3_on_ours(setting):
    """SB3 on this suite's batch, through the adapter."""
    return sb3(setting, spelunk.as_sb3_vec_env(batch_of_ours(setting)))


def network():
    """Two perceptrons of 64 and 64 tanh units, for policy and values."""

    def perceptron(outputs):
        return nn.Sequential(
            nn.Linear(147, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs)
        )

    return perceptron(7), perceptron(1)


def script(setting):
    """PPO as a script of one file has it: plain torch, one line for each thing that is done."""
    env = batch_of_ours(setting)
    actor, critic = network()
    parameters = [*actor.parameters(), *critic.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=7e-4, eps=1e-5)
    steps, n = setting.steps, setting.envs
    observations = torch.zeros(steps, n, 147)
    actions, log_probs, rewards, dones, values = (torch.zeros(steps, n) for _ in range(5))
    now, _ = env.reset(seed=0)
    state = {"observation": torch.tensor(now.reshape(n, -1), dtype=torch.float32)}
    state["done"] = torch.zeros(n)

    def iteration():
        for t in range(steps):
            observations[t], dones[t] = state["observation"], state["done"]
            with torch.no_grad():
                distribution = torch.distributions.Categorical(logits=actor(state["observation"]))
                action = distribution.sample()
                actions[t], log_probs[t] = action, distribution.log_prob(action)
                values[t] = critic(state["observation"]).flatten()
            following, reward, terminated, truncated, _ = env.step(action.numpy())
            rewards[t] = torch.tensor(reward)
            state["observation"] = torch.tensor(following.reshape(n, -1), dtype=torch.float32)
            state["done"] = torch.tensor(terminated | truncated, dtype=torch.float32)
        advantages, running = torch.zeros_like(rewards), torch.zeros(n)
        with torch.no_grad():
            next_value, next_done = critic(state["observation"]).flatten(), state["done"]
            for t in reversed(range(steps)):
                error = rewards[t] + 0.99 * next_value * (1 - next_done) - values[t]
                running = error + 0.99 * 0.95 * (1 - next_done) * running
                advantages[t], next_value, next_done = running, values[t], dones[t]
        returns = advantages + values
        flat = [x.flatten(0, 1) for x in (observations, actions, log_probs, advantages, returns)]
        order = np.arange(setting.batch)
        for _ in range(setting.epochs):
            np.random.shuffle(order)
            for begin in range(0, setting.batch, setting.minibatch):
                update(*(part[order[begin : begin + setting.minibatch]] for part in flat))

    def update(rows, taken, old, advantage, target):
        distribution = torch.distributions.Categorical(logits=actor(rows))
        log_ratio = distribution.log_prob(taken) - old
        ratio = log_ratio.exp()
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        loss = torch.max(-advantage * ratio, -advantage * ratio.clamp(0.8, 1.2)).mean()
        loss = loss - 0.01 * distribution.entropy().mean()
        loss = loss + 0.5 * 0.5 * (critic(rows).flatten() - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 0.5)
        optimizer.step()

    return iteration


def bare(setting, make_networks):
    """Nothing but the arithmetic: forwards to act, then forwards, backwards and Adam steps.

    No environment, no sampling, no advantages, no loss: gradients of the outputs are made up, and
    minibatches are taken as they lie.
    """
    policy, value, rows = make_networks()
    parameters = [*policy.parameters(), *value.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=7e-4, eps=1e-5, fused=True)
    acting = rows.reshape(setting.steps, setting.envs, -1)
    parts = rows.split(setting.minibatch)
    gradients = torch.randn(setting.minibatch, 7) * 1e-3, torch.randn(setting.minibatch, 1) * 1e-3

    def iteration():
        with torch.no_grad():
            for now in acting:
                policy(now)
            value(rows)
        for _ in range(setting.epochs):
            for part in parts:
                optimizer.zero_grad()
                torch.autograd.backward([policy(part), value(part)], gradients)
                optimizer.step()

    return iteration


def bare_torch(setting):
    """The bare loop with torch's own layers, over rows that are floats already."""
    return bare(setting, lambda: (*network(), torch.rand(setting.batch, 147)))


def bare_ours(setting, kind="flat"):
    """The bare loop with this suite's layers, over rows as the environment gives them."""

    def make():
        step = ours(setting, kind)
        trainer = step.__self__
        step()
        net = trainer.network
        policy = nn.Sequential(net.torso, net.policy)
        value = nn.Sequential(net.value_torso, net.critic)
        return policy, value, trainer.rollout.rows[:-1].flatten(0, 1).clone()

    return bare(setting, make)


CONTENDERS = {
    "spelunk": ours,
    "spelunk, one-hot": functools.partial(ours, network="mlp"),
    "bare loop": bare_torch,
    "bare loop, our layers": bare_ours,
    "bare loop, our layers, one-hot": functools.partial(bare_ours, kind="mlp"),
    "script": script,
    "SB3 on ours": sb3_on_ours,
    "SB3 on Minigrid": sb3_on_minigrid,
}
