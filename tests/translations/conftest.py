"""What the tests of `make translations` share: the files of the page, JAX in float64."""

import os
import sys
from pathlib import Path

os.environ |= {"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}  # JAX reads them when it is imported
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "book" / "translations"))
