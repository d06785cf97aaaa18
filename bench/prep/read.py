"""How fast a rank reads a prepared data set, and with how much memory, in a heap of 256 MiB.

usage: read.py DATASET_FOLDER     (the folder with dataset.json)
"""

import subprocess
import sys

import anneal

if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    raise SystemExit(subprocess.run([*anneal.java_command("ReadBench.java", "256m"), sys.argv[1]]).returncode)
