"""LINE, SMS and Viber contents as models, instead of dicts: an editor then knows the fields, and a DAG file refuses
mistakes.

Import from here; what lies under `omni/` may move. docs/sending.md says what each type must have. Operators and
notifier take a `Line` as `line`, an `Sms` as `sms` and a `Viber` as `other_channels={"viber": …}`, with templates in
their texts. Dicts in the API's own field names do the same, and a DAG file that uses them loads no models.
"""

from airflow_provider_omni.omni.line import Line, LineAudio, LineFlex, LineImage, LineSticker, LineText, LineVideo
from airflow_provider_omni.omni.sms import IndiaDlt, Sms, SmsLanguage, SmsRegional, SouthKorea
from airflow_provider_omni.omni.viber import Viber

__all__ = [
    "IndiaDlt",
    "Line",
    "LineAudio",
    "LineFlex",
    "LineImage",
    "LineSticker",
    "LineText",
    "LineVideo",
    "Sms",
    "SmsLanguage",
    "SmsRegional",
    "SouthKorea",
    "Viber",
]
