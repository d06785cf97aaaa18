"""Fine-tunes a model as one Airflow task: Spark's provider, Anneal's exit code, its checkpoints."""

import os
import re
from datetime import datetime, timedelta

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import DAG

REFUSED = re.compile(r"(Error code|spark exit code) is: 2\b")


class AnnealOperator(SparkSubmitOperator):
    """Does not try a request again that cannot be carried out as it is (exit code 2)."""

    def execute(self, context):
        try:
            return super().execute(context)
        except AirflowException as failure:
            # the provider keeps the exit code in its message alone
            if REFUSED.search(str(failure)):
                raise AirflowFailException(str(failure)) from failure
            raise


def jars(folder):
    return ",".join(os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".jar"))


with DAG(
    "anneal",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={"config": os.environ.get("ANNEAL_CONFIG", ""), "output": os.environ.get("ANNEAL_OUTPUT", "")},
):
    AnnealOperator(
        task_id="tune",
        conn_id="spark_default",
        name="anneal",
        java_class="dev.anneal.spark.Anneal",
        application=os.environ["ANNEAL_JAR"],
        jars=",".join(jars(folder) for folder in os.environ["ANNEAL_JARS"].split(":")),
        properties_file=os.environ.get("ANNEAL_PROPERTIES"),
        application_args=[
            "run",
            "--config",
            "{{ params.config }}",
            "--set",
            "output.path={{ params.output }}",
        ],
        # the same command goes on from the last checkpoint
        retries=2,
        retry_delay=timedelta(minutes=1),
    )
