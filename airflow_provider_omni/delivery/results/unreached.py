"""A second send to the people whom a first one did not reach: the part that stands in a DAG file.

It is light, since DAG files are read often; `resend.py` does the reading.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.recipients.sources import Row


class Unreached:
    """Recipients of an earlier batch who were not reached, read when the task runs. Made by `unreached`.

    Airflow renders `ledger_path` if this object stands in an operator's argument, because of `template_fields`.
    """

    template_fields: ClassVar[Sequence[str]] = ("ledger_path",)

    def __init__(self, ledger_path: str, include_unknown: bool = False) -> None:
        self.ledger_path = ledger_path
        self.include_unknown = include_unknown

    def __repr__(self) -> str:
        return f"unreached({self.ledger_path!r}, include_unknown={self.include_unknown})"

    def rows(
        self,
        ledger: Any = None,
        phone_field: str = "phone",
        tell: Callable[[str], None] = lambda _: None,
        needed: Sequence[str] = (),
    ) -> Iterator[Row]:
        """Yield the recipients with the fields they had, so that the same texts can be filled.

        Raises OmniInputError if there is no ledger, or if it has no private half (any more).

        :param ledger: the opened ledger (`ObjectStoragePath`). Default: `ledger_path` as a local path.
        :param phone_field: name of the field that gets the number, whatever its name was in the first batch.
        :param tell: is called with a sentence on how many were left out since their outcome is not known yet.
        :param needed: further fields, which are also found in another case.
        """
        from airflow_provider_omni.delivery.results.resend import rows_of_unreached

        source = self.ledger_path if ledger is None else ledger
        yield from rows_of_unreached(
            source, phone_field, include_unknown=self.include_unknown, now=time.time(), tell=tell, needed=needed
        )


def unreached(ledger_path: str, include_unknown: bool = False) -> Unreached:
    """Return the recipients of an earlier batch who were certainly not reached, for another batch.

    These are the recipients whose delivery failed, who were refused, or who were never posted to. Left out are:

    * those with a permanent error: the vendor said of the step that ended it that it would fail again;
    * those who were reached, and those still under way;
    * those who left the source before a message of theirs was accepted;
    * those whom the batch's last try found on its suppression list.

    It is no list: the ledger is read when the task runs. `sum(1 for _ in unreached(path).rows())` counts them there.

    :param ledger_path: the ledger of the earlier batch; a template.
    :param include_unknown: include those whose outcome is not known. Some of them may get the message twice. Those
        whose message waits for its time (`send_window`, `send_at`) are left out all the same. Default False.

    Raises OmniInputError if `include_unknown` is neither True nor False: "no" would count as yes.
    """
    if not isinstance(include_unknown, bool):
        from airflow_provider_omni.omni.errors import OmniInputError
        from airflow_provider_omni.omni.masking import describe
        from airflow_provider_omni.omni.problems import unexpected

        problem = unexpected("include_unknown", describe(include_unknown), "True or False")
        raise OmniInputError("The unreached cannot be selected; nothing was sent.", problems=(problem,))
    return Unreached(ledger_path, include_unknown)
