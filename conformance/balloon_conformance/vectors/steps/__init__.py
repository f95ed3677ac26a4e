"""The steps that vectors are made of, each declared in the module of its subject."""

from balloon_conformance.vectors.step import declared
from balloon_conformance.vectors.steps.buffers import BufferStep
from balloon_conformance.vectors.steps.configuration import (
    ActualStep,
    ConfigurationReadStep,
    ConfigurationStep,
    ConfigurationWriteStep,
)
from balloon_conformance.vectors.steps.life_cycle import DriverOkStep, ResetStep, SilentStep
from balloon_conformance.vectors.steps.memory import EffectStep
from balloon_conformance.vectors.steps.returns import ReactionStep, UsedStep
from balloon_conformance.vectors.steps.rings import BrokenRingStep
from balloon_conformance.vectors.steps.wishes import GuestStep, OperatorStep

__all__ = [
    "ActualStep",
    "BrokenRingStep",
    "BufferStep",
    "ConfigurationReadStep",
    "ConfigurationStep",
    "ConfigurationWriteStep",
    "DriverOkStep",
    "EffectStep",
    "GuestStep",
    "OperatorStep",
    "ReactionStep",
    "ResetStep",
    "SilentStep",
    "UsedStep",
]

# In the order in which the schema lists them.
for _kind in (
    OperatorStep,
    GuestStep,
    BufferStep,
    BrokenRingStep,
    ActualStep,
    ConfigurationWriteStep,
    ConfigurationReadStep,
    DriverOkStep,
    UsedStep,
    ConfigurationStep,
    ReactionStep,
    SilentStep,
    EffectStep,
    ResetStep,
):
    declared(_kind)
