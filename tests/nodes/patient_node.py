"""`patient_node.py MODULE`: a node that is not cut short when a signal ends it.

What it does at its end then shows, however busy the machine is.
"""

import sys
from importlib import import_module

from mobilevlm_ros.nodes import runner

runner.STOP_WITHIN_S = runner.KILL_AFTER_S = 300.0
module = import_module(f'mobilevlm_ros.nodes.{sys.argv.pop(1)}')
raise SystemExit(module.main())
