"""A scenario's flow, compared with the channels that a message has content for. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from airflow_provider_omni.delivery.effects import Log, Steps
from airflow_provider_omni.delivery.options import mismatch_problems
from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.validation import steps_without_content


def attempted(flow: Sequence[str], channels: Collection[str]) -> tuple[str, ...]:
    """Return the steps of a flow that there is content for. The failure of the last of them is the end of a message.

    :param channels: the channels that there is content for, in capitals. If the flow has none of them, it is returned
        whole.
    """
    return tuple(step for step in flow if step.upper() in channels) or tuple(flow)


def mismatches(flow: Sequence[str], channels: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each mismatch: steps without content, and content that no step sends."""
    if silent := ", ".join(steps_without_content(flow, channels)):
        yield f"The scenario tries {silent} too, but the message has no content for it."
    steps = {step.upper() for step in flow}
    if unsent := ", ".join(channel for channel in channels if channel not in steps):
        yield (f"The message has content for {unsent}, which nobody gets: the scenario tries {', '.join(flow)} only.")


def check_flow(flow: Sequence[str] | None, channels: Sequence[str]) -> Steps[None]:
    """Note every mismatch of the flow; nothing if the flow is not known. Raises OmniInputError if no step has
    content.
    """
    if not flow:
        return
    if problems := mismatch_problems([step.upper() for step in flow], channels):
        raise OmniInputError("The message cannot be sent as it is; nothing was sent.", problems=problems)
    for words in mismatches(flow, channels):
        yield Log(words, warning=True)
