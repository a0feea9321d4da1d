"""The C++ sources beside this file as a loaded library: compiled once for a machine, without torch's headers.

Whatever is missing (another processor, no compiler), torch's operators do the same work.
"""

import ctypes
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

from filelock import FileLock

from bsft.records.errors import BadInput
from bsft.records.files import remove, replacing
from bsft.records.paths import cache_dir
from bsft.records.untrusted import file_sha256

log = logging.getLogger(__name__)

SWITCH = "BSFT_NATIVE"
_SOURCES = sorted(Path(__file__).parent.glob("*.[ch]pp"))
_CPU_FLAGS = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16", "fma")
_OPTIONS = ["-std=c++17", "-O3", "-fPIC", "-shared", "-Wl,-z,defs", "-fopenmp"]
_OPTIONS += [f"-m{flag.replace('_', '')}" for flag in _CPU_FLAGS]
_COMPILERS = ("g++", "clang++", "c++")
_COMPILE_TIMEOUT_S = 120


def obstacle() -> str | None:
    """Why the library cannot be had here, as far as can be told without compiling; None if nothing is in the way."""
    if os.environ.get(SWITCH, "").lower() in {"0", "off", "false"}:
        return f"{SWITCH} switches it off"
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"it is for x86-64 Linux, this is {platform.machine()} {platform.system()}"
    missing = [flag for flag in _CPU_FLAGS if flag not in cpu_info("flags").split()]
    if missing:
        return f"the processor lacks {', '.join(missing)}"
    if _compiler() is None:
        named = os.environ.get("CXX")
        return f"CXX={named} is no program" if named else f"no C++ compiler was found ({', '.join(_COMPILERS)})"
    return None


@cache
def library() -> ctypes.CDLL | None:
    """The loaded library, or None. Safe under concurrent jobs; a library appears in the cache by one rename."""
    reason = obstacle()
    if reason is not None:
        log.info("bf16 on CPU by torch's operators alone: %s", reason)
        return None
    try:
        return ctypes.CDLL(str(_built()))
    except (BadInput, OSError, subprocess.SubprocessError) as error:
        log.warning("bf16 on CPU by torch's operators alone, which is slower: %s", _message(error))
        return None


def _built() -> Path:
    compiler = _compiler()
    assert compiler is not None
    key = hashlib.sha256(" ".join([*compiler, *_OPTIONS, *platform.libc_ver()]).encode())
    for source in _SOURCES:
        key.update(source.read_bytes())
    target = cache_dir() / "native" / f"bsft-{key.hexdigest()[:16]}.so"
    if _intact(target):  # without a lock: the cache may be somebody else's
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not _intact(target):
            remove(target)
            _compile(compiler, target)
    return target


def _compile(compiler: list[str], target: Path) -> None:
    begun = time.perf_counter()
    units = [str(source) for source in _SOURCES if source.suffix == ".cpp"]
    with replacing(target) as partial:
        command = [*compiler, *_OPTIONS, *units, "-o", str(partial)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_COMPILE_TIMEOUT_S)
        ctypes.CDLL(str(partial))  # what cannot be loaded does not stay in the cache
        _record(target).write_text(file_sha256(partial), encoding="utf-8")
    log.info("compiled %s in %.1f s", target, time.perf_counter() - begun)


def _record(target: Path) -> Path:
    return target.with_suffix(".sha256")


def _intact(target: Path) -> bool:
    """Whether a compiled library is as it was written: loading a damaged one could end this process."""
    try:
        return file_sha256(target) == _record(target).read_text(encoding="utf-8")
    except (BadInput, OSError, UnicodeDecodeError):
        return False


def _compiler() -> list[str] | None:
    """`$CXX`, which may have options, or the first compiler that is found."""
    named = shlex.split(os.environ.get("CXX", ""))
    if named:
        return named if shutil.which(named[0]) else None
    return next(([path] for path in map(shutil.which, _COMPILERS) if path), None)


@cache
def cpu_info(field: str) -> str:
    """What Linux says of the first processor; empty where it says nothing."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _message(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = [line for line in (error.stderr or "").splitlines() if "error" in line] or ["nothing was said"]
        return f"{error.cmd[0]} failed: {said[0]}"
    return str(error)
