"""vLLM as a back end of rollouts: it draws the answers that the model here learns from.

It runs on the GPU beside the training, with weights of its own that `VllmEngine.update` renews by
way of a folder. Its arithmetic is not that of the training: its log-probabilities are what tokens
were drawn with, `rollout.rescored` computes those of the policy, and the trainer weights tokens by
the ratio, capped (Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL
training"). It tells no entropies; `rescored` does. What it draws depends on what it draws beside
it, so that runs do not repeat bit for bit. It has no schedules of temperature and no grammars here,
and does not sleep while the model learns.
"""

import shutil
import weakref
from collections.abc import Sequence
from tempfile import mkdtemp
from typing import Any

import torch

from ...envs.kernel.errors import InvalidArgumentError
from ..core.extras import require
from .agent import LanguageModelAgent
from .models.model import LanguageModel
from .models.sampler import Answers


class VllmEngine:
    """A copy of a model in vLLM.

    Args:
        model: whose architecture vLLM knows; adapters are merged into its weights.
        settings: further arguments of `vllm.LLM`; unless told otherwise it takes 40% of the GPU's
            memory.

    Raises:
        MissingPackageError: `spelunk[vllm]` is not installed.
    """

    def __init__(self, model: LanguageModel, **settings: Any):
        self._vllm = require("vllm", "vllm")
        self._folder = mkdtemp(prefix="spelunk-vllm-")
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        model.merged().save_pretrained(self._folder)
        self._llm = self._vllm.LLM(
            model=self._folder,
            **{
                "gpu_memory_utilization": 0.4,
                # Of the distribution that tokens are drawn from, at its temperature.
                "logprobs_mode": "processed_logprobs",
                **settings,
            },
        )

    def update(self, model: LanguageModel) -> None:
        """Take over the weights of a model of the same shape."""
        model.merged().network.save_pretrained(self._folder)
        self._llm.collective_rpc("reload_weights")
        # What was computed with the old weights is not to be used again.
        self._llm.reset_prefix_cache()

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        rooms: Sequence[int],
        seeds: Sequence[int],
        *,
        temperature: float,
        ends: Sequence[int],
    ) -> list[tuple[list[int], list[float], bool]]:
        """Answers to prompts.

        Args:
            prompts: as tokens.
            rooms: the longest answer to each, in tokens.
            seeds: of each answer.
            temperature: of sampling.
            ends: the tokens that end an answer, and are part of it.

        Returns:
            For each prompt the tokens, their log-probabilities (nats), and whether it was cut.
        """
        parameters = [
            self._vllm.SamplingParams(
                temperature=temperature, max_tokens=room, seed=seed, stop_token_ids=list(ends),
                logprobs=0, detokenize=False,
            )
            for room, seed in zip(rooms, seeds, strict=True)
        ]  # fmt: skip
        given = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        told = self._llm.generate(given, parameters, use_tqdm=False)
        answers = []
        for said in (output.outputs[0] for output in told):
            tokens = list(said.token_ids)
            logs = [at[token].logprob for token, at in zip(tokens, said.logprobs, strict=True)]
            answers.append((tokens, logs, tokens[-1] not in ends))
        return answers


class VllmAgent(LanguageModelAgent):
    """A `LanguageModelAgent` whose answers vLLM draws; entropies are NaN until `rescored`.

    Args:
        engine: has the weights of the model.
        arguments: those of `LanguageModelAgent`, without `heat` and `grammar`.
    """

    def __init__(self, engine: VllmEngine, *arguments: Any):
        super().__init__(*arguments)
        self.engine = engine

    def start(self, env: Any, seed: int) -> None:
        super().start(env, seed)
        self._streams: list[list[int]] = [[] for _ in range(env.num_envs)]

    def _generate(self, news: list[list[int]]) -> Answers:
        asked = [lane for lane, new in enumerate(news) if new]
        begun = self.transcripts.begun
        for stream, new in zip(self._streams, news, strict=True):
            stream += new
        rooms = [self._max_tokens - len(begun[lane]) for lane in asked]
        for lane, room in zip(asked, rooms, strict=True):
            if (length := len(self._streams[lane]) + room) > self._session.limit:
                raise InvalidArgumentError(
                    f"the transcript and its answer have {length} tokens; the model reads at most "
                    f"{self._session.limit}"
                )
        seeds = torch.randint(2**31, (len(news),), generator=self._generator)[asked].tolist()
        found = self.engine.generate(
            [self._streams[lane] for lane in asked],
            rooms,
            seeds,
            temperature=self.temperature,
            ends=self.model.ends.tolist(),
        )
        answers = dict(zip(asked, found, strict=True))
        rows = [answers.get(lane, ([], [], False)) for lane in range(len(news))]
        for stream, (tokens, _, _) in zip(self._streams, rows, strict=True):
            stream += tokens[:-1]
        tokens, logs, cut = (list(part) for part in zip(*rows, strict=True))
        unknown = [[float("nan")] * len(row) for row in tokens]
        return Answers(tokens, logs, logs, unknown, cut, [[0] * len(row) for row in tokens])

    def update(self, actions: Any, rewards: Any, ended: Any) -> None:
        for lane, fresh in enumerate(self._note(rewards, ended)):
            if fresh:
                self._streams[lane] = []
