"""Runs the Java programs of this folder on the jars of the build."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
APP = HOME / "spark-job/target/app"
SPARK = HOME / "spark-job/target/spark-home/jars"
# what Spark needs of Java 17
OPENS = [
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action",
    "sun.util.calendar",
]


def java_command(program, heap):
    """Starts a program of this folder on the jars of the build."""
    if not list(APP.glob("spark-job-*.jar")):
        raise SystemExit("Anneal is not built: run mvn -DskipTests package.")
    opens = [f"java.base/{package}" for package in OPENS]
    command = ["java", f"-Xmx{heap}", f"-Dlog4j2.configurationFile={HOME}/conf/log4j2.properties"]
    command += [f"--add-opens={name}=ALL-UNNAMED" for name in opens]
    return command + ["-cp", f"{APP}/*:{SPARK}/*", str(Path(__file__).with_name(program))]


def prepare(settings, cores, repetitions, heap):
    """Yields what PrepBench prints for each repetition."""
    with tempfile.TemporaryDirectory(prefix="anneal-bench.") as folder:
        environment = dict(os.environ, SPARK_LOCAL_DIRS=folder, SPARK_LOCAL_IP="127.0.0.1")
        command = java_command("PrepBench.java", heap)
        command += [str(cores), str(repetitions), f"{folder}/out", *settings]
        with open(f"{folder}/errors", "w+") as errors:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as java:
                for line in java.stdout:
                    if line.startswith("{"):
                        yield json.loads(line)
            if java.returncode:
                errors.seek(0)
                raise SystemExit(errors.read())
