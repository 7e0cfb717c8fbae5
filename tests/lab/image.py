"""Root folders that are built once and kept outside the repository, each under the digest of its recipe."""

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.lab.recipe import APT_OPTIONS, PACS_NODE, Recipe

CACHE = Path(os.environ.get("MAINTAINER_LAB_CACHE", "/var/cache/maintainer-lab"))
TOOLS = ("mmdebstrap", "systemd-nspawn", "unshare", "nsenter", "ip", "tc", "iptables", "ssh-keygen", "echoscu")
_LONGEST_BUILD = 900  # seconds; about 60 when packages come quickly


class LabError(Exception):
    """The lab cannot do what was asked; says why and what to do."""


class NoLabError(LabError):
    """There can be no lab on this machine, as it is."""


def why_not() -> str:
    """Say in a sentence why there can be no lab here, or nothing."""
    if os.geteuid() != 0:
        return "the lab's nodes need root (namespaces and mounts): run make test as root"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=environment()["PATH"]) is None]
    return f"the lab needs {', '.join(missing)}: run make tools as root" if missing else ""


def environment() -> dict[str, str]:
    """What our own commands get: messages in English, and the folders of administrators' programs."""
    return {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


@contextlib.contextmanager
def image(recipe: Recipe = PACS_NODE) -> Iterator[Path]:
    """Lend a root folder to be looked at but not written to, built now if it never was. It stays while it is lent.

    Raises:
        NoLabError: it cannot be built; the end of the log is in the sentence.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    root = CACHE / f"{recipe.name}-{recipe.digest()[:16]}"
    with (CACHE / f"{root.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if not root.exists():
            fcntl.flock(lock, fcntl.LOCK_EX)  # whoever else wants it waits for whoever builds it
            if not root.exists():
                _build(recipe, root)
                _drop_outdated(recipe, root)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield root


def _build(recipe: Recipe, root: Path) -> None:
    unfinished = root.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    log = root.with_suffix(".log")
    argv = ["mmdebstrap", "--mode=root", f"--variant={recipe.variant}", f"--include={','.join(recipe.packages)}"]
    argv += [f"--aptopt={option}" for option in APT_OPTIONS]
    stage = "extract" if recipe.variant == "extract" else "customize"  # there is no other hook for that variant
    argv += [f"--{stage}-hook={hook}" for hook in recipe.hooks]
    with log.open("wb") as said:
        done = subprocess.run(
            [*argv, recipe.release, str(unfinished)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**environment(), "DEBIAN_FRONTEND": "noninteractive", "LAB_FILES": str(recipe.files)},
            timeout=_LONGEST_BUILD,
            check=False,
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-8:])
        raise NoLabError(f"the image {recipe.name} could not be built; the end of {log}:\n{tail}")
    unfinished.rename(root)


def _drop_outdated(recipe: Recipe, root: Path) -> None:
    """Delete images of earlier recipes, but those that somebody uses now."""
    for lock_file in CACHE.glob(f"{recipe.name}-*.lock"):
        outdated = lock_file.with_suffix("")
        if outdated == root:
            continue
        with lock_file.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            remove(outdated)
            outdated.with_suffix(".log").unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Delete a folder of ours, which nothing may be mounted in."""
    if folder.exists():
        subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=True, stdin=subprocess.DEVNULL)
