"""Reads event files back with TensorBoard's own reader: read_tensorboard.py FOLDER, JSON on stdout."""
import json
import os
import sys

from tensorboard.backend.event_processing import event_accumulator

folder = sys.argv[1]
accumulator = event_accumulator.EventAccumulator(
    folder, size_guidance={event_accumulator.TENSORS: 0, event_accumulator.SCALARS: 0}
)
accumulator.Reload()
tags = accumulator.Tags()
scalars = {}
for tag in tags["tensors"] + tags["scalars"]:
    if tag == "configuration":
        continue
    if tag in tags["scalars"]:
        scalars[tag] = [[e.step, e.value, e.wall_time] for e in accumulator.Scalars(tag)]
    else:
        scalars[tag] = [
            [e.step, e.tensor_proto.float_val[0], e.wall_time]
            for e in accumulator.Tensors(tag)
        ]
text = accumulator.Tensors("configuration")[0].tensor_proto.string_val[0].decode()
files = os.listdir(folder)
print(json.dumps({"scalars": scalars, "configuration": text, "files": files}))
