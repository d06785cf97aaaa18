#!/usr/bin/env bash
# Sends Anneal to Spark: ./submit.sh COMMAND [anneal options] [spark-submit options]
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: ./submit.sh COMMAND [OPTIONS]

  run      prepare the data, train, and publish the adapter: one Spark application
  prep     prepare the data only
  train    train on the data set that an earlier prep left in output.path
  doctor   look on driver and executors for what would stop a run

  --config FILE       the configuration (see conf/)
  --set KEY=VALUE     override one key; the value is YAML; may be repeated, the last one wins
  --gpu               use the libraries for NVIDIA GPUs; without it those for CPUs
  --native-dir DIR    take the native libraries from DIR, which is on every node, and send none
                      (default: $ANNEAL_NATIVE_DIR)
  --show N            prep: print the first N prepared rows, what is learned in brackets
  --json              doctor: print JSON in place of a table
  --overwrite         replace a finished run in output.path
  --debug             print stack traces and keep the executors' logs
  --help, --version

Any other option goes to spark-submit as it is: --master, --conf, --jars, ...
With SPARK_HOME set, that Spark is used and its configuration decides where the job runs.
Without it, an embedded Spark starts two executor processes on this machine.

Exit codes: 0 success, 1 failure, 2 a request that cannot be carried out as it is.
TEXT
}

refuse() {
  echo "anneal: $*" >&2
  exit 2
}

home=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
app=$home/spark-job/target/app
s3_jars=$app-s3
spark_jars=$home/spark-job/target/spark-home/jars

# ---- arguments: Anneal's own, and what spark-submit gets
anneal_args=()
spark_args=()
user_jars=
natives=cpu
native_dir=${ANNEAL_NATIVE_DIR:-}
while (($#)); do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --config | --set | --show)
      (($# > 1)) || refuse "$1 needs a value: see ./submit.sh --help."
      anneal_args+=("$1" "$2")
      shift
      ;;
    --config=* | --set=* | --show=* | --overwrite | --json | --debug | --version) anneal_args+=("$1") ;;
    --gpu) natives=gpu ;;
    --native-dir)
      (($# > 1)) || refuse "$1 needs a value: see ./submit.sh --help."
      native_dir=$2
      shift
      ;;
    --native-dir=*) native_dir=${1#*=} ;;
    --jars=*) user_jars+=,${1#*=} ;;
    -v | --verbose | --supervise | --load-spark-defaults | --*=*) spark_args+=("$1") ;;
    -*)
      (($# > 1)) || refuse "$1 is none of Anneal's options, and as one of spark-submit's it needs a value: see ./submit.sh --help."
      if [[ $1 == --jars ]]; then user_jars+=,$2; else spark_args+=("$1" "$2"); fi
      shift
      ;;
    *)
      ((${#anneal_args[@]} == 0)) || [[ ${anneal_args[0]} == -* ]] \
        || refuse "'$1' stands alone: a configuration is given as --config FILE, a key as --set KEY=VALUE."
      anneal_args=("$1" "${anneal_args[@]}")
      ;;
  esac
  shift
done
((${#anneal_args[@]})) || { usage >&2; exit 2; }

[[ -z $native_dir || $native_dir == /* ]] || native_dir=$PWD/$native_dir

# ---- a Java that can run it
[[ $(uname -sm) == "Linux x86_64" ]] || refuse "the native libraries are built for Linux on x86_64, and this is $(uname -sm)."
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
command -v "$java" >/dev/null || refuse "no Java found at '$java': install JDK 17 or newer, or set JAVA_HOME to one."
java_version=$("$java" -XshowSettings:properties -version 2>&1 | sed -n 's/^ *java\.specification\.version = //p')
[[ ${java_version%%.*} -ge 17 ]] || refuse "'$java' is Java $java_version: install JDK 17 or newer, or set JAVA_HOME to one."

# ---- build what is missing
built() { compgen -G "$1" >/dev/null; }
if ! built "$app/training-core-*.jar" || ! built "$spark_jars/spark-sql_*.jar" \
  || { [[ -z $native_dir ]] && ! built "$app-$natives/pytorch-*.jar"; }; then
  command -v mvn >/dev/null || refuse "Anneal is not built yet and there is no Maven to build it: install Maven 3.8 or newer."
  echo "Building Anneal (the first build downloads its dependencies) ..." >&2
  profile=()
  [[ -n $native_dir || $natives == cpu ]] || profile=(-Pgpu)
  (cd "$home" && mvn -q -B -DskipTests "${profile[@]}" package) || { echo "anneal: the build failed." >&2; exit 1; }
fi
main_jar=$(compgen -G "$app/spark-job-*.jar")

# major and minor version of the Hadoop that the connector is of
hadoop_line() {
  local version
  version=$(compgen -G "$s3_jars/hadoop-aws-*.jar")
  version=${version##*/hadoop-aws-}
  echo "${version%.*.jar}"
}

# ---- JavaCPP would otherwise cap native memory by -Xmx; Spark puts "default" options before the user's
jvm_options="-Dorg.bytedeco.javacpp.maxPhysicalBytes=0 -Dorg.bytedeco.javacpp.maxBytes=0 -Dorg.bytedeco.javacpp.nopointergc=true"
[[ $natives == cpu ]] || jvm_options+=" -Dorg.bytedeco.javacpp.platform.extension=-gpu"
driver_options=$jvm_options
[[ ! -t 1 ]] || driver_options+=" -Danneal.terminal=true"

# ---- a Spark of the user's
if [[ -n ${SPARK_HOME:-} ]]; then
  if [[ ! -x $SPARK_HOME/bin/spark-submit ]] || ! compgen -G "$SPARK_HOME/jars/spark-core_2.13-4.*.jar" >/dev/null; then
    refuse "SPARK_HOME is '$SPARK_HOME', which is no Spark 4: correct it, or unset it to use the embedded Spark."
  fi
  native_args=()
  sent=("$app")
  if [[ -n $native_dir ]]; then
    native_args=(--driver-class-path "$native_dir/*" --conf "spark.executor.extraClassPath=$native_dir/*")
  else
    sent+=("$app-$natives")
  fi
  # the connector for s3a:// goes along where this Spark has none and its Hadoop is the connector's
  if built "$s3_jars/hadoop-aws-*.jar" && ! built "$SPARK_HOME/jars/hadoop-aws-*.jar" \
    && built "$SPARK_HOME/jars/hadoop-client-api-$(hadoop_line).[0-9].jar"; then
    sent+=("$s3_jars")
  fi
  jars=$(find "${sent[@]}" -name '*.jar' ! -name 'spark-job-*' -printf '%p,')
  exec "$SPARK_HOME/bin/spark-submit" --class dev.anneal.spark.Anneal --conf spark.log.level=WARN \
    --conf "spark.driver.defaultJavaOptions=$driver_options" \
    --conf "spark.executor.defaultJavaOptions=$jvm_options" \
    "${native_args[@]}" --jars "${jars%,}$user_jars" "${spark_args[@]}" "$main_jar" "${anneal_args[@]}"
fi

# ---- the embedded Spark runs here, so what it needs is here
native_dir=${native_dir:-$app-$natives}
built "$native_dir/pytorch-*.jar" || refuse "--native-dir $native_dir holds no pytorch-*.jar: name the folder of the native libraries."
class_path="$app/*:$s3_jars/*:$native_dir/*"

# ---- the embedded Spark: a master, two workers and their executors, all below a folder of their own
scratch=$(mktemp -d "${TMPDIR:-/tmp}/anneal.XXXXXX")
child=
# shellcheck disable=SC2329 # the trap calls it
finish() {
  code=$?
  trap - EXIT
  if [[ -n $child ]] && kill -TERM "$child" 2>/dev/null; then wait "$child" || true; fi
  if [[ " ${anneal_args[*]} " == *" --debug "* ]]; then
    echo "The executors' logs are in $scratch/work." >&2
    find "$scratch" -type f ! -path "$scratch/work/*/std*" -delete
  else
    rm -rf "$scratch"
  fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir "$scratch/work" "$scratch/local" "$scratch/conf"
ln -s "$spark_jars" "$scratch/jars"
cp "$home/conf/log4j2.properties" "$scratch/conf/"

# everything runs on this machine, whatever its name resolves to
export SPARK_LOCAL_IP=${SPARK_LOCAL_IP:-127.0.0.1}
export SPARK_LOCAL_DIRS=$scratch/local SPARK_HOME=$scratch SPARK_CONF_DIR=$scratch/conf SPARK_SCALA_VERSION=2.13
embedded_options="-Dorg.bytedeco.javacpp.cachedir=\"$home/spark-job/target/natives\""
command=()
# Spark's own launcher knows the options its JVMs need; its answer is NUL-separated.
while IFS= read -r -d '' word; do
  word=${word#$'\n'}
  # an incubator module that only Spark's linear algebra uses, and Java warns of
  [[ -z $word || $word == --add-modules=jdk.incubator.vector ]] || command+=("$word")
done < <("$java" -Xmx128m -cp "$spark_jars/*" org.apache.spark.launcher.Main org.apache.spark.deploy.SparkSubmit \
  --class dev.anneal.spark.Anneal --master "local-cluster[2,1,1024]" --driver-memory 1g \
  --driver-class-path "$class_path" \
  --conf "spark.driver.defaultJavaOptions=$driver_options $embedded_options" \
  --conf "spark.executor.extraClassPath=$class_path" \
  --conf "spark.executor.defaultJavaOptions=$jvm_options $embedded_options" \
  --conf spark.ui.enabled=false \
  --conf "spark.sql.warehouse.dir=$scratch/warehouse" \
  ${user_jars:+--jars "${user_jars#,}"} "${spark_args[@]}" "$main_jar" "${anneal_args[@]}")

"${command[@]}" &
child=$!
code=0
# bash would say "Killed" and the whole command
wait "$child" 2>/dev/null || code=$?
child=
((code != 137)) || echo "anneal: the driver was killed (kill -9, or no memory was left): the same command goes on after its last checkpoint." >&2
exit "$code"
