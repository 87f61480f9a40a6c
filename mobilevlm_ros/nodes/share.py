"""Where the package's own files were installed: configuration and models."""

from __future__ import annotations

import sys
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')


def share_folder() -> Path:
    """The installed share/mobilevlm_ros, also where nobody sourced a set-up file."""
    try:
        return Path(get_package_share_directory('mobilevlm_ros'))
    except (OSError, PackageNotFoundError):
        return Path(sys.prefix, 'share', 'mobilevlm_ros')


def default_bundle() -> Path:
    """The model that ships with the package."""
    return share_folder() / 'models' / 'nano'


def config_folder() -> Path:
    """The configuration that ships with the package."""
    return share_folder() / 'config'


def transport_profile() -> Path:
    """The Fast DDS profile under which large frames arrive."""
    return config_folder() / 'fastdds.xml'


def profile_variable(distro: str) -> str:
    """The variable that names Fast DDS's profile; what reads both would load it twice.

    The old one is understood everywhere, so it serves where the distribution is not known.
    """
    return PROFILE_VARIABLES[distro in ('', 'humble', 'iron', 'jazzy')]
