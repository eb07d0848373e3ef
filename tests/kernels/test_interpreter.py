"""Without a GPU, the tests of this folder that run a kernel run in Triton's interpreter, in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch


@pytest.mark.skipif(torch.cuda.is_available(), reason="the kernels run on the GPU in this process")
def test_kernels_in_the_interpreter() -> None:
    here = Path(__file__).parent
    # Triton looks at the variable when it is imported, which something here may have done.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(here), "-q", "--deselect", str(Path(__file__)), "-k", "triton"],
        env={**os.environ, "TRITON_INTERPRET": "1"}, cwd=here.parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
