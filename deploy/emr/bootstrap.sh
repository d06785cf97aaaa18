#!/usr/bin/env bash
# Bootstrap action: puts the runtime jar and the native libraries into /opt/anneal of every node.
#   bootstrap.sh s3://BUCKET/anneal 4.0_2.13 cpu|gpu
# The folder in S3 holds the jars under the names of the release. "gpu" also lets YARN assign GPUs.
set -euo pipefail

from=${1:?the folder of the jars in S3}
line=${2:?a line of Spark and its Scala: 3.5_2.12 for EMR 7, 4.0_2.13 for EMR Spark 8}
kind=${3:?cpu or gpu}
version=0.1.0

sudo mkdir -p /opt/anneal
sudo chown "$(id -un)" /opt/anneal
for jar in "anneal-spark-runtime-$line-$version.jar" "anneal-natives-$kind-$version.jar"; do
  aws s3 cp --only-show-errors "$from/$jar" "/opt/anneal/$jar"
done

if [[ $kind == gpu ]]; then
  aws s3 cp --only-show-errors "$from/gpu-discovery.sh" /opt/anneal/gpu-discovery.sh
  chmod 755 /opt/anneal/gpu-discovery.sh
  # YARN isolates devices by version 1 of cgroups, which Amazon Linux 2023 does not mount
  sudo mkdir -p /anneal-cgroup/devices
  sudo mount -t cgroup -o devices cgroupv1-devices /anneal-cgroup/devices
  sudo chmod -R a+rwx /anneal-cgroup
fi
