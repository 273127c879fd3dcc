#!/usr/bin/env python3
"""The way in for people and machines: makes .venv from the hashed requirements, then runs one command in it.

Standard library only, because it must work on a machine that has Python >= 3.11 and pip and nothing else.
A stamp file remembers what was installed, so a second call installs nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")

RUN = "requirements.txt"
DEV = "requirements-dev.txt"

COMMANDS: dict[str, tuple[str, str, list[list[str]]]] = {
    "demo": (RUN, "start Tocsin, send it real alerts, page you in this terminal", [["-m", "app", "demo"]]),
    "run": (RUN, "start the server: python3 dev.py run [serve options]", [["-m", "app", "serve"]]),
    "cli": (RUN, "any tocsin command: python3 dev.py cli doctor", [["-m", "app"]]),
    "test": (DEV, "every test, on SQLite and on PostgreSQL", [["-m", "pytest"]]),
    "check": (
        DEV,
        "format, lint, types and import contracts",
        [
            ["-m", "ruff", "format", "--check", "."],
            ["-m", "ruff", "check", "."],
            ["-m", "mypy"],
            ["-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
        ],
    ),
    "sim": (DEV, "simulated days with everything going wrong: python3 dev.py sim --seeds 1000", [["-m", "tests.sim"]]),
    "planted": (
        DEV,
        "plant bugs and see that the tests find them: python3 dev.py planted --only lease",
        [["-m", "tests.planted.planting"]],
    ),
    "bench": (DEV, "measure ingest and page latency: python3 dev.py bench --help", [["-m", "bench"]]),
    "bench-oncall": (DEV, "measure who is on call, beside two libraries", [["-m", "bench.oncall"]]),
    "bench-queue": (DEV, "measure the queue with a million jobs waiting", [["-m", "bench.queue"]]),
    "bench-parsing": (DEV, "measure what each sender's messages cost to read", [["-m", "bench.parsing"]]),
    "bench-correlation": (
        DEV,
        "replay streams with a known truth, and score what came of them: --help",
        [["-m", "bench.correlation"]],
    ),
    "bench-deciding": (DEV, "measure what deciding costs inside ingest, in a storm", [["-m", "bench.deciding"]]),
    "bench-routing": (DEV, "measure rules, silences and inhibition", [["-m", "bench.routing"]]),
    "torture": (DEV, "real faults on real servers, for hours: --help", [["-m", "tests.torture"]]),
    "python": (DEV, "the environment's Python, with everything installed", [[]]),
}


def say(text: str) -> None:
    """One line on stderr, so that a command's own output stays clean."""
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


def install(requirements: str) -> None:
    """Makes .venv hold exactly what `requirements` pins, or does nothing when it already does."""
    wanted = hashlib.sha256(sys.version.encode())
    for name in (requirements, "pyproject.toml"):
        wanted.update((ROOT / name).read_bytes())
    stamp = VENV / "installed"
    done = stamp.read_text().split() if stamp.exists() else []
    # What the tests need holds all that the server needs: a run after a test installs nothing.
    if done[:2] == [requirements, wanted.hexdigest()] or (requirements == RUN and done[2:] == [wanted.hexdigest()]):
        return
    if not PYTHON.exists():
        say("making .venv")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], check=True)
    say(f"installing {requirements} (a minute, the first time)")
    uv = shutil.which("uv")
    if uv:
        pip = [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
    else:
        pip = [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / requirements)], check=True)
    link_source()
    runtime = hashlib.sha256(sys.version.encode())
    for name in (RUN, "pyproject.toml"):
        runtime.update((ROOT / name).read_bytes())
    stamp.write_text(f"{requirements} {wanted.hexdigest()} {runtime.hexdigest()}\n")


def link_source() -> None:
    """Puts this checkout on the environment's path, and a `tocsin` command beside its Python."""
    site = subprocess.run(
        [str(PYTHON), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    Path(site, "tocsin.pth").write_text(f"{ROOT}\n")
    if os.name != "nt":
        command = BIN / "tocsin"
        command.write_text(f"#!{PYTHON}\nfrom app.main import cli\n\ncli()\n")
        command.chmod(0o755)


def main(argv: list[str]) -> int:
    """Runs one of COMMANDS and answers its exit code."""
    if sys.version_info < (3, 11):
        say(f"Tocsin needs Python 3.11 or newer; this is {sys.version.split()[0]}")
        return 2
    if not argv or argv[0] not in COMMANDS:
        print("usage: python3 dev.py COMMAND [options]\n")
        for name, (_, what, _) in COMMANDS.items():
            print(f"  {name:<18}{what}")
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    requirements, _, lines = COMMANDS[argv[0]]
    try:
        install(requirements)
    except subprocess.CalledProcessError as error:
        say(f"installing failed (exit code {error.returncode}); the lines above say why")
        return 1
    for line in lines:
        command = [str(PYTHON), *line, *argv[1:]]
        if line == lines[-1] and os.name != "nt":
            os.chdir(ROOT)
            sys.stdout.flush()
            os.execv(command[0], command)
        code = subprocess.run(command, cwd=ROOT).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
