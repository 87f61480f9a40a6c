"""Topics, services and parameters that the pages name are those of running nodes."""

import re

import pytest
import yaml
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import parameter_value_to_python

from tests.docs.pages import PAGES, ROOT, inline_code, table

pytestmark = pytest.mark.ros
# Lines of config/vlm.yaml that show what may be set.
EXAMPLE = re.compile(r'^    # (?=[\w.]+: )', re.MULTILINE)


def offered(node):
    """Names and types of all topics and services; of an action those of its parts."""
    pairs = [*node.get_topic_names_and_types(), *node.get_service_names_and_types()]
    return {re.sub('/_action/.*', '', name): kinds for name, kinds in pairs}


def test_the_table_of_topics_and_services_is_that_of_the_node(start_fake, client):
    start_fake()
    rows = [row for row in table(ROOT / 'docs' / 'interfaces.md', 'name') if '~' in row[0]]
    assert len(rows) > 4
    for name, kind, *_ in rows:
        name = name.strip('`').replace('~', '/vlm_node')
        kind = re.search(r'mobilevlm_ros/\w+/\w+', kind)[0]
        found = client.wait(lambda name=name: offered(client.node).get(name))
        assert kind in [re.sub('_(SendGoal|GetResult|FeedbackMessage)$', '', x) for x in found]


def test_private_names_within_the_text_are_those_of_a_node(start, start_fake, client):
    start('sim_node', scene='truth')
    start_fake()
    named = {code[1:] for page in PAGES for _, code in inline_code(page)
             if re.fullmatch(r'~/\w+', code)}
    assert len(named) > 4
    client.wait(lambda: all(
        {f'/vlm_node{name}', f'/sim_node{name}'} & set(offered(client.node)) for name in named
    ))  # fmt: skip


def test_a_node_takes_every_example_of_the_parameters_file(start, client, tmp_path):
    shown = (ROOT / 'config' / 'vlm.yaml').read_text(encoding='utf-8')
    text = EXAMPLE.sub('    ', shown)
    values = yaml.safe_load(text)['/**/vlm_node']['ros__parameters']
    own = {'bundle': str(ROOT / 'models' / 'nano')}  # the one that is shown is not there
    file = tmp_path / 'vlm.yaml'
    file.write_text(text.replace(values['bundle'], own['bundle']), encoding='utf-8')
    start('vlm_node', '--ros-args', '--params-file', str(file), max_age_s=None)
    assert parameters(client, list(values)) == {**values, **own}


def parameters(client, names):
    """The values of vlm_node's parameters, asked for until they come."""
    get = client.node.create_client(GetParameters, 'vlm_node/get_parameters')
    client.wait(get.service_is_ready)
    futures = []

    def found():
        futures.append(get.call_async(GetParameters.Request(names=names)))
        client.spin(0.5)
        return next((future.result() for future in futures if future.done()), None)

    values = map(parameter_value_to_python, client.wait(found).values)
    return dict(zip(names, values, strict=True))
