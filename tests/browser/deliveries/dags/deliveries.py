"""DAGs whose runs are never executed: the tests of the page put XComs into their task instances.

The names are as nasty as Airflow allows them to be.
"""

from __future__ import annotations

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_omni.operators.omni import OmniSendBatchOperator, OmniSendMessageOperator
from airflow_provider_omni.sensors.omni import OmniDeliverySensor

SCRIPT = "<script>document.title='taken over'</script>"
COMMON = {"schedule": None, "start_date": datetime(2026, 1, 1), "catchup": False, "is_paused_upon_creation": True}

with DAG("shop_newsletter", **COMMON):
    sent = OmniSendBatchOperator(
        task_id="send", scenario_key="KEY", recipients=[{"phone": "41793026700"}], sms={"text": "Hello"}
    )
    OmniDeliverySensor(task_id="wait", receipt=sent.output)

with DAG("order_shipped", **COMMON):
    sent = OmniSendMessageOperator(task_id="send", scenario_key="KEY", to="41793026700", sms={"text": "Hello"})
    OmniDeliverySensor(task_id="wait", receipt=sent.output)

with DAG("payroll_secret", **COMMON):
    OmniSendMessageOperator(task_id="send", scenario_key="KEY", to="41793026700", sms={"text": "Hello"})


class ShopsOwnOperator(OmniSendMessageOperator):
    """A class of the users' own."""


with DAG("own_class", **COMMON):
    ShopsOwnOperator(task_id="send", scenario_key="KEY", to="41793026700", sms={"text": "Hello"})

with DAG("nasty", dag_display_name=f"{SCRIPT}‮evil", **COMMON):
    OmniSendMessageOperator(
        task_id="send", task_display_name=SCRIPT, scenario_key="KEY", to="41793026700", sms={"text": "Hello"}
    )
