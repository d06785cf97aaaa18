#!/usr/bin/env bash
# Cluster-scoped init script: copies the native libraries from a volume to every node, before its
# JVM starts. It lies in the same volume; scripts from elsewhere may not read volumes.
set -euo pipefail
from=${ANNEAL_VOLUME:?set ANNEAL_VOLUME in spark_env_vars, as in /Volumes/main/ml/anneal}
to=/opt/anneal
mkdir -p "$to/natives" "$to/cuda"
cp "$from"/natives/*.jar "$to/natives/"
# CUDA 13, cuDNN 9 and NCCL 2, where the runtime's own are older
if compgen -G "$from/cuda/*.so*" >/dev/null; then
  cp "$from"/cuda/*.so* "$to/cuda/"
fi
