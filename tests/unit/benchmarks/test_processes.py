"""What a command took, measured from outside."""

import os
import sys
import time

import psutil
import pytest

from benchmarks.processes import MeasuredProcess, MeasurementError, measure

MB = 1_000_000


def run(code: str):
    return measure([sys.executable, "-c", code], os.environ)


def test_memory_is_that_of_the_process_at_its_peak_also_where_it_was_given_back():
    usage, _ = run("held = bytes(range(256)) * 1_200_000; del held; import time; time.sleep(0.2)")
    assert 300 * MB < usage.peak_bytes < 350 * MB


def test_memory_of_a_process_and_its_child_is_added_up():
    child = "held = bytes(range(256)) * 400_000; import time; time.sleep(0.5)"
    usage, _ = run(
        f"import subprocess, sys; held = bytes(range(256)) * 400_000; subprocess.run([sys.executable, '-c', {child!r}])"
    )
    assert 200 * MB < usage.peak_bytes < 260 * MB


def test_waiting_takes_wall_time_and_computing_takes_cpu_time():
    waiting, _ = run("import time; time.sleep(0.5)")
    assert waiting.seconds > 0.5
    assert waiting.cpu_seconds < 0.4
    computing, _ = run("import time\nwhile time.process_time() < 0.5: pass")
    assert computing.cpu_seconds > 0.5


def test_the_cpu_time_of_a_child_counts():
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    usage, _ = run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])")
    assert usage.cpu_seconds > 0.5


def test_a_command_that_fails_is_an_error_with_its_last_words():
    with pytest.raises(MeasurementError, match=r"status 3: no table"):
        run("import sys; print('no table', file=sys.stderr); sys.exit(3)")


def test_more_output_than_a_pipe_holds_does_not_stop_a_command():
    _, output = run("print('x' * 1_000_000)")
    assert len(output.strip()) == 1_000_000


def test_closing_ends_what_a_command_has_started():
    code = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True); import time; time.sleep(60)"
    process = MeasuredProcess([sys.executable, "-c", code], os.environ)
    children: list[psutil.Process] = []
    while not children:
        children = psutil.Process(process.pid).children()
        time.sleep(0.01)
    process.close()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
