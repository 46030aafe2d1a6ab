"""A second send to those whom a first one did not reach: what stands in a DAG file. Light, since DAG files are read
often; the reading is `resending.py`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from airflow_provider_omni.delivery.recipients.sources import Row


class Unreached:
    """Recipients of an earlier batch who were not reached, read when the task runs. Made by `unreached`.

    `template_fields`: Airflow renders `ledger_path` where this object stands in an operator's argument.
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
        """The recipients with the fields they had, so that the same texts can be filled.

        :param ledger: the opened ledger (`ObjectStoragePath`); `ledger_path` as a local path by default.
        :param phone_field: under which the number stands, whatever it was called in the first batch.
        :param tell: gets how many are left out since nothing is known of them yet.
        :param needed: further fields, which are found in another case, too.

        Raises OmniInputError when there is no ledger, or it has no private half (any more).
        """
        from airflow_provider_omni.delivery.results.resend import rows_of_unreached

        source = self.ledger_path if ledger is None else ledger
        yield from rows_of_unreached(
            source, phone_field, include_unknown=self.include_unknown, tell=tell, needed=needed
        )


def unreached(ledger_path: str, include_unknown: bool = False) -> Unreached:
    """Recipients for another batch: those of an earlier one who were certainly not reached.

    That is: whose delivery failed, who were refused, and who were not sent to, whether or not they are still in the
    source. Left out are those whose error is permanent (the same would fail again, as the vendor said of the step that
    ended it), those who were reached, and those still under way.

    :param ledger_path: of the earlier batch; a template.
    :param include_unknown: also those of whom it is not known. Some of them may get the message twice.
    """
    return Unreached(ledger_path, include_unknown)
