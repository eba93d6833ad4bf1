"""Check an installed wheel: the five packages are ours alone, typed, and carry their data.

Run by the interpreter of a clean environment, from a folder that does not hold the sources.
"""

import importlib
import importlib.metadata
import importlib.resources
import subprocess
import sys
from pathlib import Path

DISTRIBUTION = "clearance-gateway"
PACKAGES = ("gateway", "schemas", "signing", "adapters", "store")


def faults() -> list[str]:
    """Every reason why this installation is not what we meant to ship."""
    found = []
    owners = importlib.metadata.packages_distributions()
    for name in PACKAGES:
        if set(owners.get(name, ())) != {DISTRIBUTION}:
            found.append(f"{name}: belongs to {owners.get(name)}, not to {DISTRIBUTION} alone")
            continue
        importlib.import_module(name)
        if not importlib.resources.files(name).joinpath("py.typed").is_file():
            found.append(f"{name}: py.typed is missing")
    shipped = importlib.metadata.files(DISTRIBUTION) or []
    suffixes = {Path(str(file)).suffix for file in shipped}
    found.extend(
        f"no {kind} file was shipped" for kind in (".xsd", ".toml") if kind not in suffixes
    )
    strangers = {str(file).split("/")[0] for file in shipped} - set(PACKAGES)
    found.extend(
        f"{name}: does not belong into the wheel"
        for name in sorted(strangers)
        if not name.endswith(".dist-info") and name != ".."
    )
    command = Path(sys.executable).with_name("clearance")
    answer = subprocess.run([command, "--help"], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        found.append(f"clearance --help: {answer.stderr.strip()[-500:]}")
    return found


if __name__ == "__main__":
    problems = faults()
    print("\n".join(problems) or f"{DISTRIBUTION}: the wheel is complete")
    sys.exit(bool(problems))
