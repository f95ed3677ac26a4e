"""Builds the wheel, installs it alone into a fresh environment, and runs the reference from it.

A script and not a test: it needs the network for the dependencies. ``tox run -e packaging`` runs it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command outside the working tree; its output, or an end with its errors."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """Build, install, run."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", work, ROOT, cwd=work)
        (wheel,) = work.glob("*.whl")
        venv.create(work / "clean", with_pip=True)
        binaries = work / "clean" / "bin"
        run(binaries / "pip", "install", "-q", wheel, cwd=work)
        for target in ("reference-device", "reference-driver"):
            print(run(binaries / "balloon-conformance", "run", target, cwd=work).strip().splitlines()[-1])
        listed = run(binaries / "balloon-conformance", "vectors", "list", cwd=work)
        print(f"{wheel.name}: {len(listed.splitlines())} lines of vectors in the wheel")


if __name__ == "__main__":
    main()
