"""A loaded model with what a run needs of it: prompts, identity, and answers under a policy."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import torch

from pytest_sparsetol.contract import ModelSpec
from pytest_sparsetol.cost.shape import Shape, shape_of
from pytest_sparsetol.engine.attention import Pass
from pytest_sparsetol.engine.generate import Generation, end_of_text, generate
from pytest_sparsetol.engine.load import load_model
from pytest_sparsetol.engine.policy import Policy
from pytest_sparsetol.engine.prompt import ChatPrompt, Places
from pytest_sparsetol.engine.weights import weights_fingerprint
from pytest_sparsetol.errors import ModelError
from pytest_sparsetol.model_files import ModelFiles


class Engine:
    """One model, ready to answer.

    Args:
        files: where its weights are.
        spec: how the contract wants it run.
        trust_remote_code: whether the command line allows code that the model brings.

    """

    def __init__(self, files: ModelFiles, spec: ModelSpec, *, trust_remote_code: bool = False) -> None:
        self._loaded = load_model(files, spec, trust_remote_code=trust_remote_code)
        self.prompt = ChatPrompt(self._loaded.tokenizer, spec.chat_template_kwargs)
        self.weights = weights_fingerprint(files, self._loaded.model.config)
        self.dtype = str(self._loaded.dtype).removeprefix("torch.")
        self.end_of_text = tuple(sorted(end_of_text(self._loaded)))
        self.shape = self._shape()

    def _shape(self) -> Shape | None:
        """Sizes of attention and MLP, None where the config does not tell."""
        try:
            return shape_of(self._loaded.model)
        except ModelError:
            return None

    @property
    def device(self) -> str:
        """The device's name, as its maker calls it where torch knows it."""
        device = self._loaded.device
        return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})"

    def answer(
        self,
        prompts: Sequence[Sequence[int]],
        budgets: Sequence[int],
        policy: Policy,
        places: Sequence[Places | None] = (),
    ) -> tuple[list[Generation], Pass]:
        """Answer a batch of prompts; see `generate`."""
        return generate(self._loaded, prompts, budgets, policy, places)

    def reset_peak_memory(self) -> None:
        """Count peak memory from here on."""
        if self._loaded.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._loaded.device)

    def peak_memory(self) -> int | None:
        """Bytes that torch held on a CUDA device at most since then; None elsewhere."""
        device = self._loaded.device
        return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None

    def text(self, generation: Generation) -> str:
        """The reply as a user sees it."""
        decoded: str = self._loaded.tokenizer.decode(generation.ids, skip_special_tokens=True)
        return decoded

    def versions(self) -> dict[str, Any]:
        """What explains a drift between two runs of the same fingerprint."""
        return {
            "device": self.device,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "transformers": version("transformers"),
            "threads": torch.get_num_threads(),
        }
