"""Language-model policies: imitation of an expert, then group-relative policy gradient.

The second phase plays groups of episodes that start alike, and compares each episode with the
others of its group instead of learning a value function (Shao et al. 2024, "DeepSeekMath"), or with
what a critic expects. `Lanes` play, `Learner` learns.
"""

from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from ....envs.kernel.errors import InvalidArgumentError
from ...core.budget import BudgetRecord, flops_of
from ...core.distributed import join_world
from ...core.torch_state import load_torch_state, pack_tensors, torch_state, unpack_tensors
from ...core.trainer import Arrays, Task, Trainer
from ..agent import LanguageModelAgent
from ..imitation.experts import TracedAgent, TraceFile, expert_for
from ..models.lora import Lora
from ..models.model import LanguageModel
from ..models.tokenizer import build_tokenizer, collect_texts
from ..rollout import Rollout
from ..scribe import Scribe
from .background import Background
from .config import Config
from .lanes import Lanes, Played, Request, joined, make_lanes
from .learner import Learner
from .terms.advantage import gae
from .terms.slots import Terms
from .value import Critic

__all__ = ["Config", "LanguageModelTrainer"]


class LanguageModelTrainer(Trainer):
    """Imitation, then policy gradient; see the module.

    An update plays one episode in each of `num_envs` lanes and learns from it: in the first
    `sft_updates` the expert plays, then the model, in groups of `group_size` lanes. Processes that
    `torchrun` has started share the groups out, tell each other what they have played, and learn
    from all of it what one process would learn from it, whatever the terms; only the chance in
    the sampling of answers differs from that of one process.

    Raises:
        InvalidArgumentError: an unknown name in the configuration, or groups that do not fit.

    Attributes:
        budget: what was spent so far, by all processes. Operations are those of the policy, and of
            the policy that training began with where terms look at it; a prompt that several
            streams share counts for each.
    """

    default_num_envs = 256

    def __init__(self, task: Task, config: Config):
        super().__init__(task, config)
        self.config: Config = config
        self.terms = Terms.read(config)
        self.world = join_world(task.device)
        self._check()
        self._traces = TraceFile(config.traces) if config.traces else None
        watched = config.sft_updates and not config.traces
        self._expert = expert_for(task.env_id, config.expert) if watched else None
        self.updates = 0
        self.budget = BudgetRecord()
        self._starts = task.seed * 2**20
        self._outcomes: dict[int, list[float]] = {}
        self.generator = torch.Generator().manual_seed(task.seed)
        self.env = make_lanes(task, self.world)
        self.model = self._model()
        self.lanes = Lanes(self.env, task, config, self.model, self.world)
        self._reference: LanguageModel | None = None
        self.learner = Learner(self.model, config, self.terms, self.generator, self.world)
        self.critic: Critic | None = None
        if "values" in self.terms.needs:
            width = self.model.network.config.hidden_size
            self.critic = Critic(width, config, task.seed, self.model.device)
        self.background = Background(self.lanes)

    def _check(self) -> None:
        task, config = self.task, self.config
        if config.group_size < 2 or task.num_envs % config.group_size:
            raise InvalidArgumentError(
                f"num_envs must be a multiple of group_size, which is at least 2; got "
                f"{task.num_envs} and {config.group_size}"
            )
        if task.num_envs // config.group_size % self.world.size:
            raise InvalidArgumentError(
                f"the {task.num_envs // config.group_size} groups of an update must be a multiple "
                f"of the {self.world.size} processes"
            )
        if config.temperature <= 0:
            raise InvalidArgumentError(
                f"temperature must be positive in training; got {config.temperature!r}"
            )
        if config.staleness < 0 or config.share_updates < 0:
            raise InvalidArgumentError(
                "staleness and share_updates must be at least 0; got "
                f"{config.staleness} and {config.share_updates}"
            )
        if config.engine == "vllm" and (config.grammar or self.terms.sampling.name != "constant"):
            raise InvalidArgumentError(
                'engine="vllm" draws without grammars and schedules of temperature: leave grammar '
                "and sampling out"
            )
        if config.lora_rank is not None and config.path is None:
            raise InvalidArgumentError("lora_rank needs a model to adapt, from path")

    def _model(self) -> LanguageModel:
        task, config = self.task, self.config
        if config.path is not None:
            lora = None
            if config.lora_rank is not None:
                lora = Lora(config.lora_rank, config.lora_alpha, config.lora_modules, task.seed)
            return LanguageModel.from_pretrained(config.path, task.device, lora)
        return LanguageModel.small(
            build_tokenizer(self._texts(), config.tokenizer),
            hidden_size=config.hidden_size,
            layers=config.layers,
            heads=config.heads,
            seed=task.seed,
            device=task.device,
        )

    def _texts(self) -> set[str]:
        """What the words of a small model are taken from."""
        task = self.task
        texts = collect_texts(task.env_id, seed=task.seed * 2**20, **task.env_kwargs)
        return texts | (self._traces.texts if self._traces else set())

    def step(self) -> dict[str, float]:
        imitating = self.updates < self.config.sft_updates
        if self.updates == self.config.sft_updates:
            self.learner.begin()
            self._keep_reference()
        metrics = self._imitate() if imitating else self._reinforce()
        self.updates += 1
        spent = self.budget
        return {
            **metrics,
            "tokens_generated": float(spent.tokens_generated),
            "tokens_trained": float(spent.tokens_trained),
            "flops": float(spent.flops),
        }

    def _keep_reference(self) -> None:
        """Remember the policy as it is now, where a term needs it."""
        if "reference" in self.terms.needs:
            self._reference = self.model.frozen_copy()

    def _spend(self, record: BudgetRecord) -> None:
        self.budget.add(record)
        self.env_steps = self.budget.env_steps

    def _count(self, played: Played) -> Rollout:
        """The episodes, after what they cost has been noted."""
        self._spend(played.cost(self.model.network))
        return played.rollout

    def _count_learning(self, ends: Tensor) -> None:
        lengths = ends.tolist()
        flops = flops_of(self.model.network, lengths, training=True)
        self._spend(BudgetRecord(tokens_trained=sum(lengths), flops=flops))

    def _imitate(self) -> dict[str, float]:
        """Learn from what others said."""
        tokens, imitated, told = self._shown()
        loss = self.learner.imitate(tokens, imitated, self.updates)
        self._count_learning((torch.arange(1, tokens.shape[1] + 1) * imitated).amax(1))
        return {"imitation_loss": loss, **told}

    def _shown(self) -> tuple[Tensor, Tensor, dict[str, float]]:
        """What an update imitates: tokens, which of them, and what is to be logged.

        Examples of a file, or the expert's episodes, each with a start of its own.
        """
        if self._traces is not None:
            return *self._traces.draw(self.task.num_envs, self.model, self.generator), {}
        assert self._expert is not None
        expert = TracedAgent(self._expert, self.model, self.lanes.context)
        rollout = self._play(expert, groups_of=1)
        told = {"expert_return_mean": float(rollout.rewards.sum(1).mean())}
        return rollout.tokens, rollout.generated, told

    def _play(self, agent: Scribe, groups_of: int) -> Rollout:
        """One episode in each lane, from starts that were not used before; not the policy's."""
        starts = self._unused(self.task.num_envs // groups_of)
        lanes = [start for start in starts for _ in range(groups_of)]
        played = Played(self.lanes.play(agent, lanes, starts[0]))
        return self._count(joined(self.world.collect(played)))

    def _unused(self, count: int) -> range:
        """So many starts that were never used before."""
        self._starts += count
        return range(self._starts - count, self._starts)

    def _reinforce(self) -> dict[str, float]:
        """Learn from groups of the model's own episodes."""
        terms = self.terms
        request, played = self._explore()
        rollout, returns = self._count(played), played.rollout.rewards.sum(1)
        for group, start in enumerate(request.starts):
            self._outcomes[start] = returns[rollout.groups == group].tolist()
        player = self.lanes.player(request)
        for editor in terms.editors:
            rollout = editor(rollout, player)
        self._spend(player.spent)
        rollout = self._with_needs(rollout)
        rewards, told = terms.rewarded(rollout, self.config.reward_weight)
        keep = terms.kept(rollout, rewards)
        advantages, targets = self._credited(rollout, rewards, keep)
        for transform in terms.transforms:
            advantages = transform(advantages, rollout) * rollout.generated
        if rollout.imitated is not None:
            advantages = advantages.masked_fill(rollout.imitated[:, None], 1.0) * rollout.generated
        figures = self._learn(rollout, advantages, keep[rollout.episodes].nonzero().squeeze(1))
        if self.critic is not None and targets is not None:
            figures |= self.critic.learn(rollout, targets, self.generator)
        own = played.rollout
        return {
            "return_mean": float(returns.mean()),
            "length_mean": float(own.lengths.float().mean()),
            "unparsed": played.unparsed / played.answers,
            "tokens": float(rollout.generated.sum()),
            "kept": float(keep.float().mean()),
            "sampled_entropy": _masked_mean(own.entropies, own.generated),
            **told,
            **figures,
        }

    def _request(self) -> Request:
        """What is to be played next."""
        fresh = self._unused(self.task.num_envs // self.config.group_size)
        starts = self.terms.starts(fresh, self._outcomes)
        self._outcomes.clear()
        progress = self.env_steps / self.task.total_steps
        return Request(tuple(sorted(starts)), fresh[0], progress)

    def _explore(self) -> tuple[Request, Played]:
        """The policy's episodes for this update, by all processes."""
        if self.config.staleness:
            while len(self.background) <= self.config.staleness:
                self.background.ask(self._request())
            request, played = self.background.collect()
        else:
            request = self._request()
            played = self.lanes.explore(request)
        return request, joined(self.world.collect(played))

    def _with_needs(self, rollout: Rollout) -> Rollout:
        """The rollout with what its terms look at besides."""
        needs, over = self.terms.needs, self.learner.over
        passes = 0
        if "reference" in needs:
            assert self._reference is not None
            rollout = replace(rollout, reference=over(rollout, self._reference.log_probs))
            passes += 1
        if needs & {"hidden", "values"}:
            rollout = replace(rollout, hidden=over(rollout, self.model.hidden))
            passes += 1
        if self.critic is not None:
            rollout = replace(rollout, values=self.critic.values(rollout, self.model.ends))
        flops = flops_of(self.model.network, rollout.ends.tolist())
        self._spend(BudgetRecord(flops=passes * flops))
        return rollout

    def _credited(
        self, rollout: Rollout, rewards: Tensor, keep: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Advantages of tokens, (n, T), and the critic's targets."""
        estimator, learned = self.terms.advantage, rollout.played & keep[:, None]
        if "values" in estimator.needs:
            advantages, targets = estimator(rollout, rewards)
            return advantages * rollout.per_token(learned), targets
        returns = rewards.flip(1).cumsum(1).flip(1)
        if self.config.credit == "episode":
            returns = rewards.sum(1, keepdim=True).expand_as(rewards)
        advantages = estimator(returns, learned, rollout.groups)
        targets = None if self.critic is None else gae(rollout, rewards, lam=1.0).targets
        return rollout.per_token(advantages * learned), targets

    def _learn(self, rollout: Rollout, advantages: Tensor, rows: Tensor) -> dict[str, float]:
        """Improve the policy on some sequences of a rollout, if there are any."""
        every = self.config.share_updates
        measured = bool(self.terms.regularisers and every) and self.updates % every == 0
        figures = self.learner.improve(rollout, advantages, rows, measured)
        self._count_learning(rollout.ends[rows].repeat(self.config.epochs))
        return figures

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays = torch_state(self.model.trained, self.learner.optimizer, self.generator)
        if self._reference is not None:
            arrays |= pack_tensors("reference", self._reference.trained.state_dict())
        if self.critic is not None:
            arrays |= self.critic.state()
        asked, requests = self.background.state()
        return arrays | asked, {
            "env_steps": self.env_steps,
            "updates": self.updates,
            "starts": self._starts,
            "memory": self.terms.memory(),
            "budget": asdict(self.budget),
            "outcomes": list(self._outcomes.items()),
            "asked": requests,
        }

    def load_state(self, arrays: Arrays, meta: dict[str, Any]) -> None:
        load_torch_state(self.model.trained, self.learner.optimizer, self.generator, arrays)
        self.env_steps, self.updates = meta["env_steps"], meta["updates"]
        self._starts = meta["starts"]
        self.terms.load_memory(meta["memory"])
        # Checkpoints of the first version had no counts, and nothing under way.
        self.budget = BudgetRecord(**meta.get("budget", {"env_steps": self.env_steps}))
        self._outcomes = {start: returns for start, returns in meta.get("outcomes", [])}
        if self.updates > self.config.sft_updates:
            self._keep_reference()
        if self._reference is not None:
            self._reference.trained.load_state_dict(unpack_tensors("reference", arrays))
        if self.critic is not None:
            self.critic.load_state(arrays)
        self.background.load_state(arrays, meta.get("asked", []))

    def agent(self) -> LanguageModelAgent:
        return self.lanes.agent()


def _masked_mean(values: Tensor, mask: Tensor) -> float:
    return float((values.detach() * mask).sum() / mask.sum().clamp(min=1))
