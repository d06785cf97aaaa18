"""As MLflow's own client finds a workspace of Databricks by its variables: read_databricks.py EXPERIMENT makes a run
of its own there and reads the other ones back, JSON on stdout."""
import json
import os
import sys
import time

import mlflow
from mlflow.entities import Metric, Param

# standard output is ours
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
mlflow.set_tracking_uri("databricks")
client = mlflow.MlflowClient()
known = client.get_experiment_by_name(sys.argv[1])
runs = [
    {
        "status": run.info.status,
        "name": run.info.run_name,
        "params": run.data.params,
        "losses": [
            [m.step, m.value] for m in client.get_metric_history(run.info.run_id, "loss")
        ],
    }
    for run in client.search_runs([known.experiment_id])
]
client.create_experiment(sys.argv[1] + "-own")
own = client.create_run(known.experiment_id, run_name="own").info.run_id
client.log_batch(
    own,
    metrics=[Metric("loss", 1.0, int(time.time() * 1000), 1)],
    params=[Param("lora.r", "16")],
)
client.set_terminated(own)
client.get_run(own)
print(json.dumps({"runs": runs}))
