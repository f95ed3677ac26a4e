"""Builds the wheel, installs it alone into fresh environments, and runs the reference from it.

Once with the newest of what it depends on, and once with the oldest that it says will do, side by side. A script
and not a test: it needs the network for the dependencies. ``tox run -e packaging`` runs it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import venv
import zipfile
from concurrent.futures import ThreadPoolExecutor
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


def oldest() -> list[str]:
    """Return the oldest version of each dependency that the package says will do, as pip's constraints."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [one.replace(">=", "==") for one in project["dependencies"]]


def check(work: Path, wheel: Path, constraints: list[str]) -> list[str]:
    """Install the wheel into an environment of its own, and run the reference with what it got; what was said."""
    work.mkdir()
    (work / "constraints.txt").write_text("\n".join(constraints), encoding="utf-8")
    venv.create(work / "clean", with_pip=True, clear=True)
    binaries = work / "clean" / "bin"
    run(binaries / "pip", "install", "-q", "-c", work / "constraints.txt", wheel, cwd=work)
    said = [
        run(binaries / "balloon-conformance", "run", target, cwd=work).strip().splitlines()[-1]
        for target in ("reference-device", "reference-driver")
    ]
    listed = run(binaries / "balloon-conformance", "vectors", "list", cwd=work)
    return [*said, f"{wheel.name}: {len(listed.splitlines())} lines of vectors in the wheel"]


def check_files(wheel: Path) -> None:
    """See that every file of the packages is in the wheel: data, scripts and sources in C too."""
    packed = set(zipfile.ZipFile(wheel).namelist())
    lost = [
        str(path)
        for packages in (ROOT / "spec", ROOT / "conformance")
        for path in packages.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and str(path.relative_to(packages)) not in packed
    ]
    if lost:
        sys.exit(f"{wheel.name}: without {', '.join(lost)}; see tool.hatch.build in pyproject.toml")


def main() -> None:
    """Build once; install and run with the newest, and with the oldest."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", work, ROOT, cwd=work)
        (wheel,) = work.glob("*.whl")
        check_files(wheel)
        wanted: dict[str, list[str]] = {"with the newest dependencies:": []}
        if sys.version_info < (3, 13):
            wanted["with the oldest:"] = oldest()
        else:
            print("the oldest cannot be had for this Python: numpy 1.26.0 has no wheel after 3.12")
        with ThreadPoolExecutor() as side_by_side:
            checks = {
                title: side_by_side.submit(check, work / str(number), wheel, constraints)
                for number, (title, constraints) in enumerate(wanted.items())
            }
        for title, done in checks.items():
            print(title, *done.result(), sep="\n")


if __name__ == "__main__":
    main()
