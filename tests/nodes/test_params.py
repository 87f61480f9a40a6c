"""Parameters declared from dataclasses."""

from dataclasses import dataclass

import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter

from mobilevlm_ros.engine import ConfigError, EngineConfig
from mobilevlm_ros.nodes.config import (
    CameraNodeConfig,
    SimNodeConfig,
    VlmNodeConfig,
    setting,
)
from mobilevlm_ros.nodes.params import declare, unknown

pytestmark = pytest.mark.ros


@dataclass(frozen=True)
class Example:
    rate: float = setting(2.0, 'how often', low=0.5, high=9.0)
    count: int = setting(3, 'how many', low=1, high=5)
    names: tuple[str, ...] = setting(('a', 'b'), 'who')
    quiet: bool = setting(False, 'without a word')


@pytest.fixture
def node(make_node):
    def make(**overrides):
        values = [Parameter(name, value=value) for name, value in overrides.items()]
        return make_node('example', parameter_overrides=values)

    return make


def test_fields_become_described_read_only_parameters(node):
    described = node()
    assert declare(described, Example) == Example()
    descriptor = described.describe_parameter('rate')
    assert (descriptor.description, descriptor.read_only) == ('how often', True)
    bounds = descriptor.floating_point_range[0]
    assert (bounds.from_value, bounds.to_value) == (0.5, 9.0)
    bounds = described.describe_parameter('count').integer_range[0]
    assert (bounds.from_value, bounds.to_value) == (1, 5)
    assert described.describe_parameter('names').type == ParameterType.PARAMETER_STRING_ARRAY
    assert not described.set_parameters([Parameter('count', value=4)])[0].successful


def test_values_from_outside_are_taken(node):
    config = declare(node(rate=1.5, names=['c'], quiet=True), Example)
    assert config == Example(rate=1.5, names=('c',), quiet=True)


@pytest.mark.parametrize('name, value', [
    ('rate', 9.5), ('rate', 'fast'), ('count', 0), ('count', 2.5), ('names', 'a'), ('quiet', 1),
])  # fmt: skip
def test_wrong_values_are_refused_by_the_parameters_name(node, name, value):
    with pytest.raises(ConfigError, match=name):
        declare(node(**{name: value}), Example)


def test_a_value_outside_its_choices_is_refused(node):
    with pytest.raises(ConfigError, match='llm'):
        declare(node(llm='magic'), EngineConfig)


@pytest.mark.parametrize('config', [EngineConfig, VlmNodeConfig, CameraNodeConfig, SimNodeConfig])
def test_every_parameter_is_described(node, config):
    described = node()
    declare(described, config)
    for name in config.__dataclass_fields__:
        assert described.describe_parameter(name).description, name


@pytest.mark.parametrize('cameras', [(), ('a', 'a'), ('front left',), ('',)])
def test_cameras_need_names_of_their_own(cameras):
    with pytest.raises(ConfigError, match='cameras'):
        VlmNodeConfig(cameras=cameras)


def test_values_that_no_parameter_takes_are_named_with_the_one_that_is_most_alike(node):
    odd = node(rate=1.5, quite=True, use_sim_time=False)
    declare(odd, Example)
    assert unknown(odd) == [
        'example has no parameter quite, so that it has no effect; did you mean quiet?'
    ]


def test_what_rclpy_itself_takes_is_not_unknown(node):
    usual = node(**{'use_sim_time': False, 'qos_overrides./image.subscription.depth': 2})
    declare(usual, Example)
    assert unknown(usual) == []
