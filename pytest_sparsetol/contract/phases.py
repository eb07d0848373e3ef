"""The methods that the phases of a deployment name, as they run on prompts of one length."""

from __future__ import annotations

from sparsetol_suites.lengths import show_length
from sparsetol_suites.located_yaml import nearest
from sparsetol_suites.parameters import ParameterError, check

from pytest_sparsetol.contract.spec import DeploymentSpec, PhaseSpec
from pytest_sparsetol.errors import MethodError
from pytest_sparsetol.methods.base import KvMethod, Method, Phase
from pytest_sparsetol.methods.registry import method_class, method_names


def configure(spec: PhaseSpec, phase: Phase, length: int) -> Method:
    """Build the method; raise `MethodError` for parameters that it does not have or cannot honour."""
    method = named_method(spec, phase)
    try:
        parameters = check(method, spec.method, spec.model_extra or {}, own={"sparsity"})
    except ParameterError as error:
        raise MethodError(str(error)) from None
    sparsity = spec.at(length)
    if sparsity is None and spec.sparsity is not None:
        raise MethodError(f"no sparsity is declared for {show_length(length)}")
    return method(sparsity=sparsity, **parameters)


def named_method(spec: PhaseSpec, phase: Phase) -> type[Method]:
    """The method that a phase names; raise `MethodError` where there is none of that name in that phase."""
    method = method_class(spec.method)
    if method is None or method.phase != phase:
        hint = nearest(spec.method, method_names(phase)) if method is None else f"it acts in {method.phase}"
        raise MethodError(f"no {phase} method {spec.method!r}; {hint}")
    return method


def check_reach(deployment: DeploymentSpec, phase: Phase, length: int) -> None:
    """Raise `MethodError` where the method of a phase that is not dense cannot hold its sparsity at `length` tokens."""
    spec = deployment.phase(phase)
    if spec is None:
        return
    method = configure(spec, phase, length)
    method.check(length)
    if phase == "decode":
        _check_left(deployment, method, length)


def _check_left(deployment: DeploymentSpec, decode: Method, length: int) -> None:
    """A decode method chooses among what the deployment's kv method leaves: its sparsity must be in reach there."""
    spec = deployment.phase("kv")
    kv = None if spec is None else configure(spec, "kv", length)
    if not isinstance(kv, KvMethod):
        return
    left = kv.least_kept(length)
    try:
        decode.check(left)
    except MethodError as error:
        raise MethodError(f"{kv.name} may leave a key head {left} of {length} tokens, and {error}") from None
