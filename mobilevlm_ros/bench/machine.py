"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path

from mobilevlm_ros.engine import Bundle

CPUINFO = Path('/proc/cpuinfo')
# That products of int8 and float depend on, by Linux's names: first those of x86, then of ARM.
INSTRUCTIONS = (
    'avx2', 'avx512f', 'avx_vnni', 'avx512_vnni', 'amx_int8', 'amx_bf16',
    'asimd', 'asimdhp', 'asimddp', 'i8mm',
)  # fmt: skip
LIBRARIES = {'llama-cpp-python': 'llama_cpp_python', 'ONNX Runtime': 'onnxruntime'}


def describe_machine(bundle: Bundle, threads: int) -> dict[str, str]:
    """Processor, cores, load, libraries and weights, for people; before anything is measured."""
    return {
        'processor': f'{processor(CPUINFO)}, {threads} cores',
        'instructions': instructions(CPUINFO),
        'load': f'{os.getloadavg()[0]:.2f} a minute before the run',
        'system': f'Linux {platform.release()}, Python {platform.python_version()}',
        **{name: version(package) for name, package in LIBRARIES.items()},
        'model': f'{bundle.name}, {weights(bundle)}',
    }


def processor(cpuinfo: Path) -> str:
    """The processor's name as Linux gives it; its architecture if it gives none."""
    text = cpuinfo.read_text(encoding='utf-8') if cpuinfo.exists() else ''
    found = re.search(r'model name\s*: (.*)', text)
    return found[1] if found else platform.machine()


def instructions(cpuinfo: Path) -> str:
    """Those of `INSTRUCTIONS` that the processor has."""
    text = cpuinfo.read_text(encoding='utf-8') if cpuinfo.exists() else ''
    found = re.search(r'^(?:flags|Features)\s*: (.*)', text, re.MULTILINE)
    there = set(found[1].split()) if found else set()
    return ', '.join(name for name in INSTRUCTIONS if name in there) or 'not known'


def version(package: str) -> str:
    """A package's version."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return 'not installed'


def weights(bundle: Bundle) -> str:
    """Files and their sizes."""
    sizes = (f'{name} {spec.bytes / 1e6:.0f} MB' for name, spec in bundle.files.items())
    return ', '.join(sizes)
