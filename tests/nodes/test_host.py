"""Reading a machine's sensors, on folders that look like a Jetson's."""

from mobilevlm_ros.nodes.host import read_host


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_jetson_tells_temperatures_power_and_memory(tmp_path):
    sys, proc = tmp_path / 'sys', tmp_path / 'proc'
    write(proc / 'self/status', 'Name:\tvlm_node\nVmRSS:\t  204800 kB\n')
    write(proc / 'meminfo', 'MemTotal: 8000000 kB\nMemAvailable: 1048576 kB\n')
    for number, name, value in ((0, 'cpu-thermal', '51250'), (1, 'cv0-thermal', '-256000')):
        write(sys / f'class/thermal/thermal_zone{number}/type', name + '\n')
        write(sys / f'class/thermal/thermal_zone{number}/temp', value + '\n')
    for name, value in (('in1_label', 'VDD_IN'), ('in1_input', '5000'), ('curr1_input', '1500')):
        write(sys / 'class/hwmon/hwmon1' / name, value + '\n')
    write(sys / 'class/hwmon/hwmon1/in2_label', 'VDD_CPU\n')  # and nothing to read of it
    host = read_host(sys, proc)
    assert (host.resident_mb, host.available_mb) == (200.0, 1024.0)
    assert host.celsius == {'cpu-thermal': 51.25}
    assert host.watts == {'VDD_IN': 7.5}


def test_a_machine_that_tells_nothing_is_no_error(tmp_path):
    host = read_host(tmp_path, tmp_path)
    assert (host.resident_mb, host.celsius, host.watts) == (0.0, {}, {})


def test_this_machine_tells_its_memory():
    assert read_host().resident_mb > 1
