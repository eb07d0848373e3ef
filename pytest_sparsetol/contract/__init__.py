"""The contract: what a team plans to deploy and what its release must hold, as written in YAML.

`load_contracts` reads and checks a file and everything that it names that can be checked without a model: suite,
groups, methods, reachable sparsities, context length, and whether the items can decide anything at all.
"""

from pytest_sparsetol.contract.contract import Contract
from pytest_sparsetol.contract.load import load_contract, load_contracts
from pytest_sparsetol.contract.phases import check_reach
from pytest_sparsetol.contract.spec import ContractSpec, DecodeSpec, DeploymentSpec, ModelSpec, PhaseSpec

__all__ = [
    "Contract",
    "ContractSpec",
    "DecodeSpec",
    "DeploymentSpec",
    "ModelSpec",
    "PhaseSpec",
    "check_reach",
    "load_contract",
    "load_contracts",
]
