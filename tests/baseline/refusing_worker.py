"""Stands in for the worker: refuses whatever is asked of it."""

import json
import sys
from pathlib import Path

name = Path(json.load(sys.stdin)["model"]).name
print(json.dumps({"refused": f"{name}: not to my taste"}))
