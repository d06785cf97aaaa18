#!/usr/bin/env bash
# Tells Spark which GPUs there are: spark.executor.resource.gpu.discoveryScript (or the worker's or
# driver's). The addresses are CUDA's indices: what CUDA_VISIBLE_DEVICES leaves is counted from 0.
set -euo pipefail
if [[ -n ${CUDA_VISIBLE_DEVICES+set} ]]; then
  count=$(tr ',' '\n' <<<"$CUDA_VISIBLE_DEVICES" | grep -c '[^[:space:]]' || true)
else
  count=$(nvidia-smi --query-gpu=index --format=csv,noheader | grep -c '[0-9]' || true)
fi
addresses=
for ((i = 0; i < count; i++)); do
  addresses+=${addresses:+, }\"$i\"
done
echo "{\"name\": \"gpu\", \"addresses\": [$addresses]}"
