"""Runs PrepBench.java on the jars of the build, for the other files of this folder."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
APP = HOME / "spark-job/target/app"
SPARK = HOME / "spark-job/target/spark-home/jars"


def prepare(settings, cores, repetitions, heap):
    """Yields what PrepBench prints for each repetition."""
    if not list(APP.glob("spark-job-*.jar")):
        raise SystemExit("Anneal is not built: run mvn -DskipTests package.")
    with tempfile.TemporaryDirectory(prefix="anneal-bench.") as folder:
        environment = dict(os.environ, SPARK_LOCAL_DIRS=folder, SPARK_LOCAL_IP="127.0.0.1")
        opens = ["java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
                 "java.util.concurrent", "java.util.concurrent.atomic"]
        opens = [f"java.base/{package}" for package in opens] + [
            "java.base/sun.nio.ch", "java.base/sun.nio.cs", "java.base/sun.security.action", "java.base/sun.util.calendar"]
        command = ["java", f"-Xmx{heap}", f"-Dlog4j2.configurationFile={HOME}/conf/log4j2.properties", *(f"--add-opens={name}=ALL-UNNAMED" for name in opens)]
        command += ["-cp", f"{APP}/*:{SPARK}/*", str(Path(__file__).with_name("PrepBench.java"))]
        command += [str(cores), str(repetitions), f"{folder}/out", *settings]
        with open(f"{folder}/errors", "w+") as errors:
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as java:
                for line in java.stdout:
                    if line.startswith("{"):
                        yield json.loads(line)
            if java.returncode:
                errors.seek(0)
                raise SystemExit(errors.read())
