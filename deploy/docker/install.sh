#!/usr/bin/env bash
# Unpacks Anneal's archives into a folder: install.sh FOLDER ARCHIVE...
# These are the steps of the images beside it; InstallationIT runs them on a plain folder.
set -euo pipefail
folder=${1:?a folder}
shift
(($#)) || { echo "install.sh: name the archives: anneal-VERSION-bin.tar.gz, anneal-natives-cpu-VERSION.tar.gz" >&2; exit 2; }
mkdir -p "$folder"
for archive; do
  tar -xzf "$archive" --strip-components=1 --no-same-owner -C "$folder"
done

# an image with a Spark needs no other, and has its jar under a name that does not change:
# spark-submit --class dev.anneal.spark.Anneal local:///opt/anneal/anneal.jar run ...
if [[ -n ${SPARK_HOME:-} ]]; then
  core=$(compgen -G "$SPARK_HOME/jars/spark-core_*.jar") || { echo "install.sh: SPARK_HOME is '$SPARK_HOME', which holds no Spark." >&2; exit 2; }
  [[ $core =~ /spark-core_([0-9.]+)-([0-9]+\.[0-9]+) ]]
  line=${BASH_REMATCH[2]}_${BASH_REMATCH[1]}
  jar=$(cd "$folder" && compgen -G "jars/anneal-spark-runtime-$line-*.jar") || { echo "install.sh: there is no jar for Spark ${line%_*} with Scala ${line#*_}." >&2; exit 2; }
  ln -sfn "$jar" "$folder/anneal.jar"
  rm -rf "$folder/spark"
fi
