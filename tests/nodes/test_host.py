"""Reading a machine's sensors, on folders that look like a Jetson's."""

from mobilevlm_ros.nodes.host import read_host


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_jetson_tells_temperatures_and_power(tmp_path):
    for number, name, value in ((0, 'cpu-thermal', '51250'), (1, 'cv0-thermal', '-256000')):
        write(tmp_path / f'class/thermal/thermal_zone{number}/type', name + '\n')
        write(tmp_path / f'class/thermal/thermal_zone{number}/temp', value + '\n')
    for name, value in (('in1_label', 'VDD_IN'), ('in1_input', '5000'), ('curr1_input', '1500')):
        write(tmp_path / 'class/hwmon/hwmon1' / name, value + '\n')
    write(tmp_path / 'class/hwmon/hwmon1/in2_label', 'VDD_CPU\n')  # and nothing to read of it
    host = read_host(tmp_path)
    assert host.celsius == {'cpu-thermal': 51.25}
    assert host.watts == {'VDD_IN': 7.5}


def test_a_machine_without_sensors_is_no_error(tmp_path):
    host = read_host(tmp_path)
    assert (host.celsius, host.watts) == ({}, {})


def test_this_machine_tells_its_memory():
    host = read_host()
    assert host.resident_mb > 1 and host.available_mb > 1
