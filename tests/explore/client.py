"""Has the cluster at an address add two numbers; prints the sum."""

import sys

from explore import tasks
from gatewright.explore.cluster import ClusterEngine

if __name__ == "__main__":
    engine = ClusterEngine(sys.argv[1])
    try:
        print(engine.submit(tasks.add, 1, 2).result())
    finally:
        engine.close()
