"""The success criterion of a wait. Sensors check it when a DAG is read, so nothing here loads models."""

from __future__ import annotations

import math
from dataclasses import dataclass

from airflow_provider_omni.omni.errors import OmniInputError
from airflow_provider_omni.omni.masking import describe
from airflow_provider_omni.omni.problems import unexpected

DELIVERED_MEANS = ("group", "handset")
NAMED_CRITERIA = ("all", "any", "finished")


@dataclass(frozen=True, slots=True)
class SuccessCriterion:
    """The success criterion of a wait.

    :param success_when: `all`, `any`, `finished` (every outcome is known, whichever it is), or the ratio in (0, 1] of
        the messages that must be delivered.
    :param delivered_means: with `group`, a delivery to the operator counts as delivered while nothing final contradicts
        it; with `handset`, it counts as pending.
    :param settle: wait until every outcome is known, even if the verdict is clear before.
    """

    success_when: str | float = "all"
    delivered_means: str = "group"
    settle: bool = False

    def __post_init__(self) -> None:
        """Refuse values that name no criterion. Raises OmniInputError with every problem."""
        problems = []
        wanted = self.success_when
        ratio = isinstance(wanted, int | float) and not isinstance(wanted, bool) and 0 < wanted <= 1
        if ratio and isinstance(wanted, int):
            problems.append(
                unexpected("success_when", "1", "1.0 for every message, or 'any' for one of them: 1 reads as either")
            )
        elif not ratio and wanted not in NAMED_CRITERIA:
            problems.append(
                unexpected("success_when", describe(wanted, True), "'all', 'any', 'finished' or a ratio such as 0.95")
            )
        if self.delivered_means not in DELIVERED_MEANS:
            problems.append(unexpected("delivered_means", describe(self.delivered_means, True), "'group' or 'handset'"))
        if problems:
            raise OmniInputError("The delivery goal cannot be used", problems=tuple(problems))

    def needed(self, total: int) -> int:
        """Return how many of `total` messages must be delivered."""
        match self.success_when:
            case "all":
                return total
            case "any":
                return min(1, total)
            case "finished":
                return 0
        # 0.95 of 20 is 19: without the small term, 0.95 * 20 = 19.000000000000004 would ask for 20.
        return math.ceil(float(self.success_when) * total - 1e-9)
