"""`--sparsetol-trust-remote-code`: code that a model brings runs only if the contract and the command line say so."""

from __future__ import annotations

import json

import pytest

from tests.plugin.running import edit, run


@pytest.mark.parametrize(
    ("in_contract", "on_command_line", "ran"),
    [(False, False, False), (True, False, False), (False, True, False), (True, True, True)],
)
def test_both_must_allow_it(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, *, in_contract: bool, on_command_line: bool, ran: bool
) -> None:
    monkeypatch.setenv("HF_MODULES_CACHE", str(project.path / "modules"))
    model = project.path / "model"
    config = json.loads((model / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    (model / "config.json").write_text(json.dumps(config))
    (model / "own.py").write_text("raise RuntimeError('this code ran')\n")
    if in_contract:
        edit(project, "device: cpu}", "device: cpu, trust_remote_code: true}")

    _, cells = run(project, "-k", "safe and single", *(["--sparsetol-trust-remote-code"] if on_command_line else []))

    cell = cells["safe::single_qa[256]"]
    assert cell["verdict"] == "UNTESTED"
    assert ("this code ran" in cell["reason"]) == ran
