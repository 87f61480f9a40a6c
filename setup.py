"""Installs the part that needs no ROS: `pip install .[llama,onnx]`.

On a robot, and for the nodes, the package is built by CMake instead (see README.md).
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
VERSION = re.search(r'<version>(.*)</version>', (ROOT / 'package.xml').read_text('utf-8'))[1]

ENGINE = ['numpy>=1.24', 'opencv-python-headless>=4.6', 'Pillow>=9.4', 'PyYAML>=6', 'scipy',
          'tqdm']
LLAMA = ['llama-cpp-python>=0.3.17']
ONNX = ['onnxruntime>=1.18']
CONVERT = [*LLAMA, *ONNX, 'gguf', 'huggingface_hub', 'onnx', 'onnxscript', 'protobuf',
           'safetensors', 'sentencepiece', 'torch>=2.5', 'transformers>=5']
TRAIN = [*CONVERT, 'matplotlib']
DEV = ['cuda-bindings', 'hypothesis', 'jsonschema', 'markdown-it-py', 'mistral_common', 'mypy',
       'py_trees', 'pytest', 'pytest-timeout', 'ruff', 'scikit-image', 'types-PyYAML']

NEED_ROS = [f'mobilevlm_ros.{part}*' for part in ('nodes', 'demo', 'trials')]

setup(
    name='mobilevlm_ros',
    version=VERSION,
    description='A robot that sees with words: MobileVLM-class models for ROS 2',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mobilevlm_ros*'], exclude=NEED_ROS),
    package_data={'mobilevlm_ros': ['py.typed']},
    install_requires=ENGINE,
    extras_require={
        'llama': LLAMA,
        'onnx': ONNX,
        'train': TRAIN,
        'convert': CONVERT,
        'dev': DEV,
    },
    entry_points={'console_scripts': ['mobilevlm = mobilevlm_ros.programs:mobilevlm']},
)
