"""`mobilevlm doctor`: a report that a user can attach to a question."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from mobilevlm_ros.arguments import any_path
from mobilevlm_ros.engine import Bundle, EngineConfig, MobileVlmError, load_bundle
from mobilevlm_ros.engine.gguf_header import read_gguf_header
from mobilevlm_ros.engine.llama_cpp_version import check_version
from mobilevlm_ros.engine.offload import offload
from mobilevlm_ros.engine.selection import Machine, select_encoder

HELP = """\
Print versions, backends (and why one is not there), devices and memory, ROS and transport
settings, and the checksums of bundles. It changes nothing and sends nothing anywhere.
Exit code 1 if this installation cannot answer questions or a bundle is damaged.

examples:
  mobilevlm doctor > report.txt
  mobilevlm doctor ~/models/v2-1.7b
"""

Rows = Iterable[tuple[str, str]]
DISTRIBUTIONS = ('numpy', 'opencv-python-headless', 'Pillow', 'onnxruntime', 'onnxruntime-gpu',
                 'llama-cpp-python', 'tensorrt', 'cuda-python', 'torch', 'rclpy')
REQUIRED = ('onnxruntime', 'llama_cpp')
ROS_SETTINGS = ('RMW_IMPLEMENTATION', 'ROS_DOMAIN_ID',
                'ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY', 'ROS_STATIC_PEERS',
                'ROS_DISCOVERY_SERVER', 'AMENT_PREFIX_PATH')
WHEEL_DISTROS = ('humble', 'jazzy', 'kilted', 'lyrical')
PROFILES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument('bundle', nargs='*', type=any_path, help='model folders to check as well')


def run(args: argparse.Namespace) -> int:
    """Prints the report."""
    found = probe_backends()
    section('software', software())
    section('inference backends', found)
    section('devices', devices())
    section('ROS', ros())
    healthy = all(text.startswith('ok') for name, text in found if name in REQUIRED)
    for path in args.bundle or default_bundles():
        rows, sound = bundle(path)
        section(f'bundle {path}', rows)
        healthy = healthy and sound
    return 0 if healthy else 1


def section(title: str, rows: Rows) -> None:
    """Prints one part of the report."""
    print(title)
    for name, value in rows:
        print(f'  {name:30} {value}')
    print()


def software() -> Rows:
    """Versions of the system and of the packages that matter."""
    yield 'mobilevlm_ros', package_version()
    yield 'Python', f'{platform.python_version()} ({sys.executable})'
    yield 'operating system', f'{operating_system()}, {platform.release()} {platform.machine()}'
    for name in DISTRIBUTIONS:
        yield name, distribution_version(name)


def package_version() -> str:
    """This package's version, from its metadata or from package.xml beside or above it."""
    try:
        return importlib.metadata.version('mobilevlm_ros')
    except importlib.metadata.PackageNotFoundError:
        pass
    manifest = Path(__file__).parents[2] / 'package.xml'
    found = re.search(r'<version>(.*)</version>', read(str(manifest)))
    return found[1] if found else 'unknown'


def distribution_version(name: str) -> str:
    """The installed version, or that there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return 'not installed'


def operating_system() -> str:
    """The distribution's own name for itself."""
    try:
        return platform.freedesktop_os_release()['PRETTY_NAME']
    except (OSError, KeyError):
        return platform.system()


def probe_backends() -> list[tuple[str, str]]:
    """Tries each inference library: 'ok' with what it offers, or why it cannot be used."""
    probes = (('onnxruntime', probe_onnxruntime), ('llama_cpp', probe_llama_cpp),
              ('tensorrt', probe_tensorrt))
    return [(name, probe(check)) for name, check in probes]


def probe(check: Callable[[], str]) -> str:
    """Runs one probe. A broken library may raise anything, and that is what is to be shown."""
    try:
        return f'ok: {check()}'
    except ModuleNotFoundError as error:
        return f'not found: no module {error.name}'
    except Exception as error:
        return f'broken: {type(error).__name__}: {error}'


def probe_onnxruntime() -> str:
    """Its execution providers."""
    return ', '.join(importlib.import_module('onnxruntime').get_available_providers())


def probe_llama_cpp() -> str:
    """What llama.cpp was compiled with."""
    library = importlib.import_module('llama_cpp')
    check_version(library.__version__)
    gpu = 'GPU offload' if library.llama_supports_gpu_offload() else 'CPU only'
    return f'{gpu}; {library.llama_print_system_info().decode().strip(" |")}'


def probe_tensorrt() -> str:
    """Its version."""
    return str(importlib.import_module('tensorrt').__version__)


def devices() -> Rows:
    """Processor, memory, and NVIDIA devices."""
    yield 'processor', f'{processor()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores'
    total, free = (meminfo().get(name, 0.0) for name in ('MemTotal', 'MemAvailable'))
    yield 'memory', f'{total:.1f} GiB, {free:.1f} free'
    shared = shutil.disk_usage('/dev/shm') if Path('/dev/shm').exists() else None
    yield 'shared memory', f'{shared.free / 2**30:.1f} GiB free' if shared else 'no /dev/shm'
    yield 'Jetson', jetson()
    yield 'NVIDIA GPU', nvidia()


def processor() -> str:
    """The processor's name as Linux gives it."""
    found = re.search(r'model name\s*: (.*)', read('/proc/cpuinfo'))
    return found[1] if found else platform.machine()


def meminfo() -> dict[str, float]:
    """Linux's memory counters in GiB."""
    rows = re.findall(r'(\w+):\s+(\d+) kB', read('/proc/meminfo'))
    return {name: int(kilobytes) / 2**20 for name, kilobytes in rows}


def jetson() -> str:
    """Model, JetPack's L4T release and power mode of a Jetson."""
    model = read('/proc/device-tree/model').strip('\0\n ')
    release = read('/etc/nv_tegra_release').splitlines()[:1]
    if 'NVIDIA' not in model and not release:
        return 'no'
    return '; '.join([model, *release, output('nvpmodel', '-q').replace('\n', ' ')])


def nvidia() -> str:
    """Name, memory and driver of the GPUs that nvidia-smi sees."""
    query = '--query-gpu=name,memory.total,driver_version'
    return output('nvidia-smi', query, '--format=csv,noheader').replace('\n', '; ')


def output(*command: str) -> str:
    """What a command says, or why it says nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except FileNotFoundError:
        return f'no {command[0]} on this machine'
    except (OSError, subprocess.SubprocessError) as error:
        return f'{command[0]} failed: {error}'
    return done.stdout.strip()


def read(path: str) -> str:
    """The text of a file, or nothing."""
    try:
        return Path(path).read_text(encoding='utf-8', errors='replace')
    except OSError:
        return ''


def ros() -> Rows:
    """ROS's settings, and whether its Python library and our messages load."""
    yield 'distribution', ros_distribution()
    for name in ('rclpy', 'mobilevlm_ros.msg'):
        yield name, probe(partial(module_file, name))
    for name in ROS_SETTINGS:
        yield name, os.environ.get(name, 'not set')
    paths = [os.environ.get(name, '') for name in PROFILES]
    for name, path in zip(PROFILES, paths, strict=True):  # a distribution reads one of them
        yield name, profile(path) if path or not any(paths) else 'not set'


def ros_distribution() -> str:
    """The sourced installation's name, or that of the ROS wheels from PyPI."""
    if distro := os.environ.get('ROS_DISTRO'):
        return f'{distro} (sourced)'
    names = (name for name in WHEEL_DISTROS
             if distribution_version(f'ros-{name}-rclpy') != 'not installed')
    return ', '.join(f'{name} (wheels)' for name in names) or 'none'


def module_file(name: str) -> str:
    """The file that a module is loaded from."""
    return str(importlib.import_module(name).__file__)


def profile(path: str) -> str:
    """Whether a Fast DDS profile is set, is there, and gives images enough shared memory."""
    if not path:
        return 'not set: large images may be lost between processes (config/fastdds.xml)'
    if not Path(path).is_file():
        return f'{path}: no such file'
    sizes = [int(size) for size in re.findall(r'<segment_size>\s*(\d+)', read(path))]
    return f'{path} (shared memory segment: {max(sizes, default=0) / 2**20:.0f} MiB)'


def default_bundles() -> list[Path]:
    """The bundles that ship with the package, where they were installed or in the source tree."""
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    folders = [Path(prefix, 'share', 'mobilevlm_ros', 'models') for prefix in prefixes if prefix]
    folders.append(Path(__file__).parents[2] / 'models')
    for folder in folders:
        if found := sorted(path.parent for path in folder.glob('*/bundle.json')):
            return found
    return []


def bundle(path: Path) -> tuple[Rows, bool]:
    """The bundle's files with their checksums, and whether they are what bundle.json says."""
    try:
        loaded = load_bundle(path)
    except MobileVlmError as error:
        return [('broken', str(error))], False
    rows = [('name', loaded.name), ('licence', loaded.license or 'not given')]
    for name, spec in loaded.files.items():
        rows.append((name, f'{spec.bytes / 1e6:.1f} MB, sha256 {spec.sha256}, ok'))
    return [*rows, *encoder(loaded), ('language model', probe(partial(language, loaded)))], True


def language(bundle: Bundle) -> str:
    """How much of the language model would be on a GPU if nothing is forced."""
    library = importlib.import_module('llama_cpp')
    blocks = read_gguf_header(bundle.backend_file('llama_cpp')).size('block_count')
    info = library.llama_print_system_info().decode()
    wanted = EngineConfig().n_gpu_layers
    return str(offload(wanted, blocks, library.llama_supports_gpu_offload(), info))


def encoder(bundle: Bundle, machine: Machine | None = None) -> Rows:
    """What would run the vision part if nothing is forced, and why not something faster."""
    try:
        selection = select_encoder(bundle, EngineConfig(), machine or Machine())
    except MobileVlmError as error:
        yield 'vision encoder', f'none: {error}'
        return
    yield 'vision encoder', f'{selection.backend} {selection.precision}'
    for name, reason in selection.rejected.items():
        yield f'not {name}', reason
