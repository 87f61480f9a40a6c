"""Inference without ROS: a bundle, frames and questions in, answers out."""

from mobilevlm_ros.engine.bundle import Bundle, load_bundle
from mobilevlm_ros.engine.captions import Caption
from mobilevlm_ros.engine.config import EngineConfig, check_settings, setting
from mobilevlm_ros.engine.encodings import ENCODINGS, Encoding, encoding_for
from mobilevlm_ros.engine.engine import EncodedFrame, Engine, open_engine
from mobilevlm_ros.engine.errors import (
    BackendError,
    BundleError,
    BundleFileError,
    BundleSchemaError,
    BusyError,
    CancelledError,
    ClosedError,
    ConfigError,
    DeadlineError,
    ImageError,
    InterruptionError,
    MemoryShortError,
    MobileVlmError,
    NoImageError,
    PlanError,
    QuestionError,
    StaleImageError,
    TooLongError,
)
from mobilevlm_ros.engine.fake import (
    FakeEncoder,
    FakeLanguageModel,
    create_fake_engine,
    fake_bundle,
)
from mobilevlm_ros.engine.freshness import Age, age_of, steady_s
from mobilevlm_ros.engine.gates import Gate
from mobilevlm_ros.engine.images import decode_image, image_paths, is_image_path, read_image
from mobilevlm_ros.engine.paths import user_path
from mobilevlm_ros.engine.requests import Reply
from mobilevlm_ros.engine.timing import Arrival, ms_since
from mobilevlm_ros.engine.types import (
    CAPTION,
    INTERACTIVE,
    PROBE,
    Answer,
    Chunk,
    Frame,
    Header,
    Load,
    Pixels,
    Question,
    Timing,
)
from mobilevlm_ros.engine.worker import EngineWorker

__all__ = [
    'CAPTION',
    'ENCODINGS',
    'INTERACTIVE',
    'PROBE',
    'Age',
    'Answer',
    'Arrival',
    'BackendError',
    'Bundle',
    'BundleError',
    'BundleFileError',
    'BundleSchemaError',
    'BusyError',
    'CancelledError',
    'Caption',
    'Chunk',
    'ClosedError',
    'ConfigError',
    'DeadlineError',
    'EncodedFrame',
    'Encoding',
    'Engine',
    'EngineConfig',
    'EngineWorker',
    'FakeEncoder',
    'FakeLanguageModel',
    'Frame',
    'Gate',
    'Header',
    'ImageError',
    'InterruptionError',
    'Load',
    'MemoryShortError',
    'MobileVlmError',
    'NoImageError',
    'Pixels',
    'PlanError',
    'Question',
    'QuestionError',
    'Reply',
    'StaleImageError',
    'Timing',
    'TooLongError',
    'age_of',
    'check_settings',
    'create_fake_engine',
    'decode_image',
    'encoding_for',
    'fake_bundle',
    'image_paths',
    'is_image_path',
    'load_bundle',
    'ms_since',
    'open_engine',
    'read_image',
    'setting',
    'steady_s',
    'user_path',
]
