"""How many rows of Alpaca a thread renders in a second of CPU time, while the JVM warms up.

usage: render.py alpaca.json TOKENIZER_FOLDER
"""

import subprocess
import sys

import anneal

if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    raise SystemExit(subprocess.run([*anneal.java_command("RenderBench.java", "512m"), *sys.argv[1:]]).returncode)
