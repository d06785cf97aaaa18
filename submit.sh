#!/usr/bin/env bash
# Sends Anneal to Spark: COMMAND [anneal options] [spark-submit options]
# The same script is submit.sh in a checkout and bin/anneal in an installation.
set -euo pipefail

self=$0
usage() {
  echo "Usage: $self COMMAND [OPTIONS]"
  cat <<'TEXT'

  run      prepare the data, train, and publish the adapter: one Spark application
  prep     prepare the data only
  train    train on the data set that an earlier prep left in output.path
  fetch    bring a model or data set from the Hugging Face hub to a folder or an object store
  generate ask a model, with or without an adapter: prompts, a file or table of them, or a chat
  evaluate measure loss and perplexity of a data set, with and without an adapter
  merge    put an adapter into its base model, as a new model
  plan     say what a run takes of GPUs and hosts and whether it fits; nothing is started
  report   make the page of a run, or of several over each other, from their files
  doctor   look on driver and executors for what would stop a run

fetch, generate, evaluate, merge, plan and report have options of their own: COMMAND --help tells them.

  --config FILE       the configuration (see conf/)
  --set KEY=VALUE     override one key; the value is YAML; may be repeated, the last one wins
  --gpu               use the libraries for NVIDIA GPUs; without it those for CPUs
  --native-dir DIR    take the native libraries from DIR, which is on every node, and send none
                      (default: $ANNEAL_NATIVE_DIR)
  --show N            prep: print the first N prepared rows, what is learned in brackets
  --profile N         run, train: write a trace of N steps of all ranks to profile/
  --json              doctor: print JSON in place of a table
  --overwrite         replace a finished run in output.path
  --debug             print stack traces and keep the executors' logs
  --help, --version

Any other option goes to spark-submit as it is: --master, --conf, --jars, ...
With SPARK_HOME set, that Spark is used and its configuration decides where the job runs.
Without it, an embedded Spark runs on this machine: prep in one process, training
in an executor process for each node, two at most;
ANNEAL_SPARK_LINE=4.0_2.13 names another line of it, where it is built.

Exit codes: 0 success, 1 failure, 2 a request that cannot be carried out as it is.
TEXT
}

refuse() {
  echo "anneal: $*" >&2
  exit 2
}

# what processes of a small run have had, with room (docs/doctor.md): open files, threads of a user, and KiB of address
# space, of data in memory, and of a file
readonly LEAST_OPEN_FILES=1024 LEAST_THREADS=1024 LEAST_ADDRESS_SPACE=$((8 << 20)) LEAST_DATA=$((4 << 20)) LEAST_FILE=$((1 << 20))

# ---- where things are: beside this script in a checkout, a folder up in an installation
home=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
default_line=4.1_2.13
if [[ -d $home/spark-job ]]; then
  installed=
  app=$home/spark-job/target/app
  s3_jars=$app-s3
  natives_of() { echo "$app-$1"; }
  runtime_jars_of() { echo "$home/spark-runtime/$1/target"; }
  cache=$home/spark-job/target/natives
else
  installed=yes
  home=${home%/*}
  s3_jars=$home/jars/s3
  natives_of() { echo "$home/natives/$1"; }
  runtime_jars_of() { echo "$home/jars"; }
  cache=
fi

# the files of a folder whose names match; the folder's own name may hold what a shell takes for a pattern
files() { { find "${1%/*}/" -maxdepth 1 -name "${1##*/}" 2>/dev/null || true; } | LC_ALL=C sort; }

# the runtime jar of a line of Spark, such as 3.5_2.12
runtime_jar() { files "$(runtime_jars_of "$1")/anneal-spark-runtime-$1-*.jar" | grep -vE -- '-(sources|javadoc)\.jar$'; }
runtime_lines() {
  if [[ $installed ]]; then
    find "$home/jars" -name 'anneal-spark-runtime-*.jar' -printf '%f\n' | sed -E 's/^anneal-spark-runtime-([^-]*)-.*/\1/'
  else
    find "$home/spark-runtime" -mindepth 2 -maxdepth 2 -path '*_*/pom.xml' -printf '%P\n' | sed 's,/.*,,'
  fi | sort | paste -sd' ' | sed 's/ /, /g'
}

# ---- arguments: Anneal's own, and what spark-submit gets
anneal_args=()
spark_args=()
user_jars=
natives=cpu
native_dir=${ANNEAL_NATIVE_DIR:-}
chat=
# those of Anneal that have a value, and those that have none
declare -A kind
for option in config set show profile model adapter output dtype max-shard-size prompt prompts prompts-column max-tokens temperature top-p \
  top-k repetition-penalty seed stop batch-size data dataset split generate revision type include exclude connections \
  gpus nodes gpu-memory host-memory network; do kind[--$option]=valued; done
for option in overwrite json debug version verify dry-run chat; do kind[--$option]=flag; done
while (($#)); do
  if [[ $1 == --?* && ${kind[${1%%=*}]:-} ]]; then
    anneal_args+=("$1")
    [[ $1 != --chat ]] || chat=yes
    if [[ $1 != *=* && ${kind[$1]} == valued ]]; then
      (($# > 1)) || refuse "$1 needs a value: see $self --help."
      anneal_args+=("$2")
      shift
    fi
    shift
    continue
  fi
  case $1 in
    -h | --help)
      # a verb with options of its own tells them itself
      [[ ${anneal_args[0]:-} =~ ^(fetch|generate|evaluate|merge|plan|report)$ ]] || { usage && exit 0; }
      anneal_args+=(--help)
      ;;
    --gpu) natives=gpu ;;
    --native-dir)
      (($# > 1)) || refuse "$1 needs a value: see $self --help."
      native_dir=$2
      shift
      ;;
    --native-dir=*) native_dir=${1#*=} ;;
    --jars=*) user_jars+=,${1#*=} ;;
    -v | --verbose | --supervise | --load-spark-defaults | --*=*) spark_args+=("$1") ;;
    -*)
      (($# > 1)) || refuse "$1 is none of Anneal's options, and as one of spark-submit's it needs a value: see $self --help."
      if [[ $1 == --jars ]]; then user_jars+=,$2; else spark_args+=("$1" "$2"); fi
      shift
      ;;
    *)
      # fetch takes a repository beside its name, and report takes runs, wherever they stand
      if [[ ${anneal_args[0]:-} =~ ^(fetch|report)$ ]]; then
        anneal_args+=("$1")
        shift
        continue
      fi
      ((${#anneal_args[@]} == 0)) || [[ ${anneal_args[0]} == -* ]] \
        || refuse "'$1' stands alone: a configuration is given as --config FILE, a key as --set KEY=VALUE."
      anneal_args=("$1" "${anneal_args[@]}")
      ;;
  esac
  shift
done
((${#anneal_args[@]})) || { usage >&2; exit 2; }

[[ -z $native_dir || $native_dir == /* ]] || native_dir=$PWD/$native_dir

# ---- a machine that can run it
# Java writes no file name outside ASCII in a locale without such letters
[[ $(locale charmap 2>/dev/null) == UTF-8 ]] || export LC_ALL=C.UTF-8
id -un >/dev/null 2>&1 \
  || refuse "the user id $(id -u) has no account on this machine, and Hadoop asks for its name: add it to /etc/passwd, or start Anneal as a user who has one."
open_files=$(ulimit -Hn)
[[ $open_files == unlimited || $open_files -ge $LEAST_OPEN_FILES ]] \
  || refuse "this shell lets a process have $open_files open files, and Spark needs more: raise it with ulimit -n $LEAST_OPEN_FILES, or in /etc/security/limits.conf."
threads=$(ulimit -u)
[[ $EUID -eq 0 || $threads == unlimited || $threads -ge $LEAST_THREADS ]] \
  || refuse "this shell lets a user have $threads processes and threads, and Spark needs more: raise it with ulimit -u $LEAST_THREADS, or in /etc/security/limits.conf."
require_mebibytes() {
  local limit
  limit=$(ulimit "$1")
  [[ $limit == unlimited || $limit -ge $2 ]] \
    || refuse "this shell lets a process $3 $((limit >> 10)) MiB$4, and one that trains needs $(($2 >> 10)): raise it with ulimit $1 unlimited."
}
require_mebibytes -v "$LEAST_ADDRESS_SPACE" have " of address space"
require_mebibytes -d "$LEAST_DATA" have " of data in memory"
require_mebibytes -f "$LEAST_FILE" "write files of" ""
env pwd -P >/dev/null 2>&1 || refuse "the working directory is gone: change to one that is there."
for place in "$home" "${SPARK_HOME:-}" "${TMPDIR:-}"; do
  [[ $place != *[:,]* ]] || refuse "the path '$place' has a ':' or ',' in a name, which class paths and lists of jars are cut at: take another name."
done

# ---- a Java that can run it
[[ $(uname -sm) == "Linux x86_64" ]] || refuse "the native libraries are built for Linux on x86_64, and this is $(uname -sm)."
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
command -v "$java" >/dev/null || refuse "no Java found at '$java': install JDK 17 or newer, or set JAVA_HOME to one."
java_variables=()
java_options="${JAVA_TOOL_OPTIONS:-} ${JDK_JAVA_OPTIONS:-} ${_JAVA_OPTIONS:-}"
for name in JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS; do
  [[ -z ${!name:-} ]] || java_variables+=("$name")
done
without_variables() { env -u JAVA_TOOL_OPTIONS -u JDK_JAVA_OPTIONS -u _JAVA_OPTIONS "$@"; }
java_says=$("$java" -XshowSettings:properties -version 2>&1) || {
  java_says=$(grep -vE '^(NOTE: )?Picked up ' <<<"$java_says" | head -2 | paste -sd' ')
  if ((${#java_variables[@]})) && without_variables "$java" -version >/dev/null 2>&1; then
    refuse "'$java' does not start ($java_says): correct what ${java_variables[*]} says."
  fi
  refuse "'$java' does not start ($java_says): set JAVA_HOME to a JDK 17 or newer that does, or unset it."
}
java_version=$(sed -n 's/^ *java\.specification\.version = //p' <<<"$java_says")
[[ ${java_version%%.*} -ge 17 ]] || refuse "'$java' is Java $java_version: install JDK 17 or newer, or set JAVA_HOME to one."

# ---- the line of Spark, such as 3.5_2.12: that of SPARK_HOME, or of the embedded one
if [[ -n ${SPARK_HOME:-} ]]; then
  core=$(files "$SPARK_HOME/jars/spark-core_*.jar")
  [[ -x $SPARK_HOME/bin/spark-submit && -n $core ]] \
    || refuse "SPARK_HOME is '$SPARK_HOME', which holds no Spark: correct it, or unset it to use the embedded Spark."
  [[ $core =~ /spark-core_([0-9.]+)-([0-9]+\.[0-9]+)[^/]*\.jar$ ]] \
    || refuse "SPARK_HOME is '$SPARK_HOME', but '${core##*/}' does not tell the version of its Spark."
  line=${BASH_REMATCH[2]}_${BASH_REMATCH[1]}
  whose="SPARK_HOME is '$SPARK_HOME', which is"
else
  line=${ANNEAL_SPARK_LINE:-$default_line}
  whose="ANNEAL_SPARK_LINE is"
fi

# ---- the application: in a checkout the default line has the jars of the last build, all else a runtime jar
built() { [[ -n $(files "$1") ]]; }
build() {
  command -v mvn >/dev/null || refuse "Anneal is not built yet and there is no Maven to build it: install Maven 3.8 or newer."
  echo "Building Anneal (the first build downloads its dependencies) ..." >&2
  (cd "$home" && mvn -q -B -DskipTests "$@" package) || { echo "anneal: the build failed." >&2; exit 1; }
}
native_jars=${native_dir:-$(natives_of "$natives")}
if [[ ! $installed && $line == "$default_line" ]]; then
  spark_jars=$home/spark-job/target/spark-home/jars
  if ! built "$app/training-core-*.jar" || ! built "$app/spark-job-*.jar" || ! built "$spark_jars/spark-sql_*.jar"; then
    build
  fi
  main_jar=$(files "$app/spark-job-*.jar")
  app_jars=$(find "$app" -name '*.jar' ! -name 'spark-job-*' -printf '%p,')
  class_path="$app/*"
else
  [[ ", $(runtime_lines), " == *", $line, "* ]] \
    || refuse "$whose Spark ${line%_*} with Scala ${line#*_}, and there are jars for $(runtime_lines): choose one of these."
  spark_jars=$(runtime_jars_of "$line")/spark-home/jars
  [[ ! $installed ]] || spark_jars=$home/spark/jars
  [[ $installed ]] || runtime_jar "$line" >/dev/null || build -Plines -pl "spark-runtime/$line" -am
  main_jar=$(runtime_jar "$line")
  app_jars=
  class_path=$main_jar
fi
if [[ -z $native_dir ]] && ! built "$native_jars/*-linux-x86_64*.jar" && ! built "$native_jars/anneal-natives-*.jar"; then
  [[ ! $installed ]] \
    || refuse "$native_jars holds no native libraries: unpack anneal-natives-$natives-*.tar.gz over $home, or name their folder with --native-dir."
  if [[ $natives == gpu ]]; then build -Pgpu; else build; fi
fi

# major and minor version of the Hadoop that the connector is of
hadoop_line() {
  local version
  version=$(files "$s3_jars/hadoop-aws-*.jar")
  version=${version##*/hadoop-aws-}
  echo "${version%.*.jar}"
}

# a configuration file as a data: URI with its path as name; what is no file here stays as it is
inlined() {
  local file=${1#file:}
  if [[ ! -f $file || ! -r $file ]]; then
    echo "$1"
    return
  fi
  (($(stat -L -c %s "$file") <= 65536)) \
    || refuse "the configuration $file has more than 64 KiB, too much to go along with a command: put it where the cluster reads it, and name its URI."
  file=$(realpath "$file")
  echo "data:application/yaml;name=$(printf %s "$file" | od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g');base64,$(base64 -w0 "$file")"
}

# where the driver is the executor: as SparkSettings has it for executors
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
driver_options=
[[ ! -t 1 ]] || driver_options=-Danneal.terminal=true
[[ ! -t 0 || ! -t 1 ]] || driver_options+=" -Danneal.terminal.input=true"

# ---- a Spark of the user's
if [[ -n ${SPARK_HOME:-} ]]; then
  spark_conf=${SPARK_CONF_DIR:-$SPARK_HOME/conf}
  # the value that spark-submit is given for one of its options
  option() {
    local i value=
    for i in "${!spark_args[@]}"; do
      if [[ ${spark_args[i]} == "$1" ]]; then value=${spark_args[i + 1]}; fi
      if [[ ${spark_args[i]} == "$1="* ]]; then value=${spark_args[i]#*=}; fi
    done
    echo "$value"
  }
  # the files of settings that Spark reads, the one that decides last
  settings_files=()
  properties_file=$(option --properties-file)
  [[ $properties_file && " ${spark_args[*]} " != *" --load-spark-defaults "* ]] || settings_files+=("$spark_conf/spark-defaults.conf")
  [[ -z $properties_file ]] || settings_files+=("$properties_file")
  # the value that command or files have for a key, whose other names follow a |
  setting() {
    { cat -- "${settings_files[@]}" 2>/dev/null || true; echo; printf '%s\n' "${spark_args[@]}"; } \
      | sed -nE "s/^(--conf=)?[[:space:]]*(${1//./\\.})[[:space:]=:]+(.*[^[:space:]])[[:space:]]*$/\3/p" | tail -1
  }
  # a --conf goes before every file, so it is only for what none of them has
  default() {
    [[ $(setting "$1") ]] || spark_args=(--conf "${1%%|*}=$2" "${spark_args[@]}")
  }
  master=$(option --master)
  master=${master:-$(setting spark.master)}
  deploy_mode=$(option --deploy-mode)
  driver_in_cluster=
  standalone=
  if [[ ${deploy_mode:-$(setting spark.submit.deployMode)} == cluster ]]; then
    driver_in_cluster=yes
    # a file of this machine reaches the driver within the command
    for i in "${!anneal_args[@]}"; do
      if [[ $i -gt 0 && ${anneal_args[i - 1]} == --config ]]; then
        anneal_args[i]=$(inlined "${anneal_args[i]}")
      elif [[ ${anneal_args[i]} == --config=* ]]; then
        anneal_args[i]=--config=$(inlined "${anneal_args[i]#*=}")
      fi
    done
    # the exit code is to tell how the run ended, as it does on YARN
    default spark.standalone.submit.waitAppCompletion true
    if [[ $master == spark://* ]]; then
      standalone=yes
      # a worker gives its driver none of the options that Spark's own launcher has for Arrow
      default spark.driver.extraJavaOptions --add-opens=java.base/java.nio=ALL-UNNAMED
    elif [[ $master == yarn ]]; then
      # an application master reads these before it calls Anneal, which cannot set them in time: it is to give up
      # after cluster.attempts, and not to repeat a request that was refused
      default 'spark.executor.maxNumFailures|spark.yarn.max.executor.failures' 1000
      default 'spark.executor.failuresValidityInterval|spark.yarn.executor.failuresValidityInterval' 1h
      default spark.yarn.maxAppAttempts 1
    fi
  fi
  # spark.log.level counts only from the session on; before it Spark's own default is INFO
  if ! built "$spark_conf/log4j2.*"; then
    default spark.log.level WARN
    [[ $driver_in_cluster ]] || driver_options+=" -Dlog4j2.configurationFile=\"file:$home/conf/log4j2-client.properties\""
  fi
  native_args=()
  sent=()
  if [[ -n $native_dir ]]; then
    native_args=(--driver-class-path "$native_dir/*" --conf "spark.executor.extraClassPath=$native_dir/*")
  else
    sent+=("$native_jars")
  fi
  # the connector for s3a:// goes along where this Spark has none and its Hadoop is the connector's
  if built "$s3_jars/hadoop-aws-*.jar" && ! built "$SPARK_HOME/jars/hadoop-aws-*.jar" \
    && built "$SPARK_HOME/jars/hadoop-client-api-$(hadoop_line).[0-9].jar"; then
    sent+=("$s3_jars")
  fi
  jars=$app_jars
  ((${#sent[@]} == 0)) || jars+=$(find "${sent[@]}" -name '*.jar' -printf '%p,')
  jars+=${user_jars#,}
  submit=("$SPARK_HOME/bin/spark-submit" --class dev.anneal.spark.Anneal \
    ${driver_options:+--conf "spark.driver.defaultJavaOptions=${driver_options# }"} \
    "${native_args[@]}" ${jars:+--jars "${jars%,}"} "${spark_args[@]}" "$main_jar" "${anneal_args[@]}")
  [[ $driver_in_cluster ]] || exec "${submit[@]}"
  driver_log=
  if [[ $standalone ]]; then
    # spark-submit has no exit code for a driver that fails there: its log says so alone
    driver_log=$(mktemp 2>/dev/null) \
      || refuse "no file can be made in '${TMPDIR:-/tmp}': set TMPDIR to a folder that can be written."
    trap 'rm -f "$driver_log"' EXIT
    log_files=$(files "$spark_conf/log4j2.*" | head -1)
    log_files=${log_files:-$home/conf/log4j2-client.properties},$home/conf/log4j2-standalone.properties
    export SPARK_SUBMIT_OPTS="${SPARK_SUBMIT_OPTS:-} -Danneal.driver.log=\"$driver_log\" -Dlog4j2.configurationFile=\"$log_files\""
  fi
  code=0
  "${submit[@]}" || code=$?
  if [[ $driver_log ]] && driver_end=$(grep -oE '^State of driver .* is (FAILED|ERROR|KILLED)' "$driver_log"); then
    echo "anneal: ${driver_end,}: the driver's stderr, below work/ of its worker, says why." >&2
    exit 1
  fi
  exit $((code > 2 && code < 128 || code == 255 ? 1 : code))
fi

# ---- the embedded Spark runs here, so what it needs is here
built "$spark_jars/spark-sql_*.jar" || refuse "there is no embedded Spark of the line $line: unset ANNEAL_SPARK_LINE, or set SPARK_HOME to a Spark of that line."
built "$native_jars/*-linux-x86_64*.jar" || built "$native_jars/anneal-natives-*.jar" \
  || refuse "--native-dir $native_jars holds no native libraries: name the folder of pytorch-*-linux-x86_64.jar or anneal-natives-*.jar."
# the connector that comes along is of the Hadoop of the default line
[[ $line != "$default_line" ]] || class_path+=":$s3_jars/*"
class_path+=":$native_jars/*"
# executors compute with MKL where the build has brought it: its threads are OpenMP's, those of OpenBLAS fight with them
mkl=()
mkl_options=
if [[ ! $installed && $native_jars == "$(natives_of cpu)" ]] && built "$(natives_of mkl)/mkl-*.jar"; then
  class_path+=":$(natives_of mkl)/*"
  mkl=(--conf spark.anneal.mkl=true)
  mkl_options=-Dorg.bytedeco.openblas.load=mkl
fi

# ---- the embedded Spark: a master, workers and their executors, all below a folder of their own
scratch=$(mktemp -d "${TMPDIR:-/tmp}/anneal.XXXXXX" 2>/dev/null) \
  || refuse "no folder can be made in '${TMPDIR:-/tmp}': set TMPDIR to a folder that can be written."
child=
# shellcheck disable=SC2329 # the trap calls it
finish() {
  code=$?
  # the exit code is the run's, whatever cannot be removed
  set +e
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
export SPARK_LOCAL_DIRS=$scratch/local SPARK_HOME=$scratch SPARK_CONF_DIR=$scratch/conf SPARK_SCALA_VERSION=${line#*_}
# the driver knows what the run needs of this machine, where the user has not chosen
embedded=(--conf spark.anneal.ours=true)
master=(--master "local[*]" --conf spark.anneal.embedded=true)
[[ ! " ${spark_args[*]}" =~ (\ --master[ =]|\ spark\.master=) ]] || master=()

# ---- a quick start: the driver's classes as a JVM of these jars maps them, archived by the first run that succeeds
jvm_options=("-Dlog4j2.configurationFile=file:$home/conf/log4j2.properties")
archives=$home/spark-job/target/archives
[[ ! $installed ]] || archives=$home/archives
archive=
# (what goes to spark-submit may change the class path, to one with folders, of which no JVM makes an archive; one that
# has none of its own classes, as jlink makes it, makes none either and ends if it is asked to)
java_home=$(sed -n 's/^ *java\.home = //p' <<<"$java_says")
if [[ $line == "$default_line" && -z "${spark_args[*]}$user_jars" && ! $java_options =~ -Xshare|Archive && -f $java_home/lib/server/classes.jsa ]] && mkdir -p "$archives" 2>/dev/null && [[ -w $archives ]]; then
  jars=$(tr ':' '\n' <<<"$class_path:$spark_jars" | sed 's,/\*$,,' | xargs -d '\n' ls -lL --time-style=+%s 2>&1 || true)
  archive=$archives/$( (grep -E ' java\.(home|vm\.[a-z]+) = ' <<<"$java_says"; echo "$jars") | cksum | tr ' ' -).jsa
  # what it does not fit to a JVM passes over without a word
  jvm_options+=(-Xlog:disable -Xlog:all=error:stderr)
  if [[ -f $archive ]]; then
    jvm_options+=("-XX:SharedArchiveFile=$archive")
    archive=
  else
    rm -f "$archives"/*.jsa || true
    jvm_options+=("-XX:ArchiveClassesAtExit=$scratch/classes.jsa")
  fi
fi
# the compiler for what runs hot would take the cores of the work for as long as 100,000 rows take, and so would the
# threads of a collector
collector=
if ((${#master[@]})); then
  # (only that compiler knows the processor's instructions for SHA-256, which fetch lives on)
  [[ ${anneal_args[0]} =~ ^(fetch|merge)$ ]] || jvm_options+=(-XX:TieredStopAtLevel=1)
  (($(nproc) > 4)) || collector=-XX:+UseSerialGC
fi
embedded_options=${cache:+"-Dorg.bytedeco.javacpp.cachedir=\"$cache\""}
command=()
# Spark's own launcher knows the options its JVMs need; its answer is NUL-separated.
while IFS= read -r -d '' word; do
  if ((${#command[@]} == 0)); then
    word=${word#$'\n'}
    [[ -z $word ]] || command=("$word" "${jvm_options[@]}")
    continue
  fi
  # an incubator module that only Spark's linear algebra uses, and Java warns of
  [[ $word == --add-modules=jdk.incubator.vector ]] && continue
  if [[ ${command[-1]} == -cp ]]; then
    # with a folder, or with names that are new each time, it could not be archived
    word=${word//"$scratch/conf/:"/}
    word=${word//"$scratch/jars"/"$spark_jars"}
  fi
  command+=("$word")
done < <(without_variables "$java" -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$spark_jars/*" org.apache.spark.launcher.Main org.apache.spark.deploy.SparkSubmit \
  --class dev.anneal.spark.Anneal "${embedded[@]}" "${master[@]}" --driver-memory 1g \
  --driver-class-path "$class_path" \
  --conf "spark.driver.defaultJavaOptions=$driver_options $embedded_options" \
  --conf "spark.executor.extraClassPath=$class_path" \
  --conf "spark.executor.defaultJavaOptions=$embedded_options $mkl_options" "${mkl[@]}" \
  --conf spark.ui.enabled=false \
  --conf "spark.sql.warehouse.dir=$scratch/warehouse" \
  ${user_jars:+--jars "${user_jars#,}"} "${spark_args[@]}" "$main_jar")
wait $! && ((${#command[@]})) || { echo "anneal: Spark's launcher has failed: what it says, if anything, stands above." >&2; exit 1; }
# not by the launcher, which cuts a line feed from their ends
command+=("${anneal_args[@]}")
# a JVM takes one collector: that of the user, where one is chosen
if [[ $collector && ! "$java_options ${command[*]}" =~ -XX:[+]Use[A-Za-z0-9]+GC ]]; then
  command=("${command[0]}" "$collector" "${command[@]:1}")
fi

code=0
if [[ $chat ]]; then
  # in the foreground it has this terminal, and Ctrl-C is its own affair: it may end an answer alone
  trap : INT
  "${command[@]}" || code=$?
else
  "${command[@]}" &
  child=$!
  # bash would say "Killed" and the whole command
  wait "$child" 2>/dev/null || code=$?
  child=
fi
[[ -z $archive || $code -ne 0 || ! -f $scratch/classes.jsa ]] || mv "$scratch/classes.jsa" "$archive" 2>/dev/null || true
((code != 137)) || echo "anneal: the driver was killed (kill -9, or no memory was left): the same command goes on after its last checkpoint." >&2
exit "$code"
