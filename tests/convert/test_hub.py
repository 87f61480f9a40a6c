import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

PROGRAM = (
    'import sys\n'
    'from mobilevlm_ros.convert.hub import download\n'
    'from mobilevlm_ros.engine.errors import CheckpointError\n'
    'try: print(sorted(path.name for path in download(sys.argv[1]).iterdir()))\n'
    'except CheckpointError as error: print(error)\n'
)
COMMIT = '0123456789abcdef0123456789abcdef01234567'
OTHERS = ['README.md', 'config.json', 'tokenizer.model', 'optimizer.pt']
SAFE = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
REPOSITORIES = {
    'both': [*OTHERS, *SAFE, 'model.safetensors.index.json', 'model.fp16.safetensors',
             'pytorch_model.bin'],
    'whole': [*OTHERS, 'pytorch_model.bin', 'pytorch_model-1-of-2.bin', 'training_args.bin'],
    'lora': ['config.json', 'adapter_config.json', 'adapter_model.bin', 'non_lora_trainables.bin'],
    'gguf': ['config.json', 'model-q4.gguf'],
}  # fmt: skip


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's interface as a download needs; every file holds its own name."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        parts = self.path.split('?')[0].strip('/').split('/')
        if parts[:2] == ['api', 'models']:
            self._reply(json.dumps(self._describe(*parts[2:])))
        elif parts[0] == 'api':
            self.send_error(404)
        else:
            self.asked.append(parts[-1])
            self._reply(parts[-1])

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass

    def _describe(self, owner: str, name: str, what: str = '', *_: str) -> object:
        if what == 'tree':
            return [
                {'type': 'file', 'path': file, 'size': len(file), 'oid': str(hash(file))}
                for file in REPOSITORIES[name]
            ]
        files = [{'rfilename': file} for file in REPOSITORIES[name]]
        return {'id': f'{owner}/{name}', 'sha': COMMIT, 'siblings': files}

    def _reply(self, text: str) -> None:
        self.send_response(200)
        self.send_header('Content-Length', str(len(text)))
        self.send_header('ETag', f'"{hash(text)}"')
        self.send_header('X-Repo-Commit', COMMIT)
        self.end_headers()
        if self.command == 'GET':
            self.wfile.write(text.encode())


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a hub with `REPOSITORIES`."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), Hub)
    Hub.asked.clear()
    Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    server.server_close()


def run_download(root: Path, name: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, name],
        env=os.environ | variables, cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('both', [*SAFE, 'model.safetensors.index.json']),
        ('whole', ['pytorch_model.bin']),
    ],
)
def test_one_format_of_weights_is_downloaded(
    root: Path, tmp_path: Path, hub: str, name: str, expected: list[str]
) -> None:
    text = run_download(root, f'owner/{name}', HF_ENDPOINT=hub, HF_HOME=str(tmp_path))
    needed = sorted([*expected, 'README.md', 'config.json', 'tokenizer.model'])
    assert text == f'{needed}\n'


@pytest.mark.parametrize(('name', 'what'), [('lora', 'is a LoRA'), ('gguf', 'holds GGUF files')])
def test_what_is_no_checkpoint_is_not_downloaded(
    root: Path, tmp_path: Path, hub: str, name: str, what: str
) -> None:
    text = run_download(root, f'owner/{name}', HF_ENDPOINT=hub, HF_HOME=str(tmp_path))
    assert text.startswith(f'owner/{name} {what}')
    assert not Hub.asked


def test_what_is_in_the_cache_is_found_without_a_network(
    root: Path, tmp_path: Path, hub: str
) -> None:
    online = run_download(root, 'owner/whole', HF_ENDPOINT=hub, HF_HOME=str(tmp_path))
    offline = run_download(root, 'owner/whole', HF_HUB_OFFLINE='1', HF_HOME=str(tmp_path))
    assert online == offline and 'pytorch_model.bin' in offline


def test_without_a_network_it_says_how_to_get_the_folder(root: Path, tmp_path: Path) -> None:
    text = run_download(root, 'nobody/nothing', HF_HUB_OFFLINE='1', HF_HOME=str(tmp_path))
    assert text.startswith('nobody/nothing is no folder here')
    assert 'hf download nobody/nothing --local-dir FOLDER' in text
