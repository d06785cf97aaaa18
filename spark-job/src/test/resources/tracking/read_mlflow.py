"""Reads a run back with MLflow's own client: read_mlflow.py EXPERIMENT MODEL FOLDER, JSON on stdout."""
import json
import os
import sys

import mlflow

experiment, model, folder = sys.argv[1:]
client = mlflow.MlflowClient()
known = client.get_experiment_by_name(experiment)
runs = []
for run in client.search_runs([known.experiment_id], order_by=["attributes.start_time"]):
    history = {
        key: [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
    }
    runs.append(
        {
            "id": run.info.run_id,
            "status": run.info.status,
            "name": run.info.run_name,
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": history,
        }
    )
versions = [
    [v.version, v.run_id] for v in client.search_model_versions("name='%s'" % model)
]
adapter = []
if versions:
    place = mlflow.artifacts.download_artifacts(
        artifact_uri="models:/%s/%s" % (model, versions[0][0]), dst_path=folder
    )
    adapter = sorted(os.listdir(place))
print(json.dumps({"runs": runs, "versions": versions, "adapter": adapter}))
