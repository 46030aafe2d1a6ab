"""A scenario's flow and what a message has to say on its channels. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from airflow_provider_omni.delivery.effects import Note, Steps
from airflow_provider_omni.delivery.options import mismatch_problems
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.validation import steps_without_content


def attempted(flow: Sequence[str], channels: Collection[str]) -> tuple[str, ...]:
    """The steps that there is content for: the failure of the last of them is the end of a message.

    :param channels: those that there is content for, in capitals. With none of them in the flow it is given back whole.
    """
    return tuple(step for step in flow if step.upper() in channels) or tuple(flow)


def mismatches(flow: Sequence[str], channels: Sequence[str]) -> Iterator[str]:
    """What does not fit: a step that there is nothing to say on, and content that no step sends."""
    if silent := ", ".join(steps_without_content(flow, channels)):
        yield f"The scenario tries {silent} too, but the message has no content for it."
    steps = {step.upper() for step in flow}
    if unsent := ", ".join(channel for channel in channels if channel not in steps):
        yield (f"The message has content for {unsent}, which nobody gets: the scenario tries {', '.join(flow)} only.")


def check_flow(flow: Sequence[str] | None, channels: Sequence[str]) -> Steps[None]:
    """Say so, where the flow is known. Raises OmniInputError where no step has anything to say."""
    if not flow:
        return
    if problems := mismatch_problems([step.upper() for step in flow], channels):
        raise OmniInputError("The message cannot be sent as it is; nothing was sent.", problems=problems)
    for words in mismatches(flow, channels):
        yield Note(words, warning=True)
