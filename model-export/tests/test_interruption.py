"""What signals do to a run: a whole checkpoint and one sentence, on one process and on several."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from test_scale import in_two_processes

from crafx2.checkpoint import load_checkpoint
from crafx2.cli import main
from crafx2.interruption import StopRequest
from crafx2.train import Trainer

STEPS = 3
CONFIG = (
    'base = "smoke"\nname = "short"\nseeds = [3, 5]\n[network]\nfilters = 16\nlstm_hidden = 8\n'
    "[train]\ncrop_s = 0.15\nlong_every = 0\nvalidation_crop_s = 0.3\nvalidate_every = 1\n"
)


@pytest.fixture(autouse=True)
def usual_interrupt():
    """Also where the tests themselves run with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def command(songs, tmp_path):
    """`make` for two seeds; the number of steps is a matter of each test."""

    def make(steps, workers=0):
        file = tmp_path / "short.toml"
        file.write_text(f"{CONFIG}steps = {steps}\nworkers = {workers}\n")
        data = ["--data", str(songs), "--held-out", str(songs)]
        return ["make", str(file), *data, "--work", str(tmp_path), "-o", str(tmp_path / "bundle")]

    return make


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("step", [1, STEPS - 1])
def test_make_stops_and_goes_on(command, tmp_path, monkeypatch, capsys, number, status, step):
    """Also when the signal comes in the very last step of a run: the second seed is not begun, nothing is exported."""
    undisturbed = Trainer.train_step

    def disturbed(trainer, *given):
        if trainer.step == step:
            signal.raise_signal(number)
        return undisturbed(trainer, *given)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_step", disturbed)
        assert main(command(STEPS)) == status
    assert f"crafx2: stopped after step {step + 1} of {STEPS}" in capsys.readouterr().err
    assert load_checkpoint(tmp_path / "run-3" / "last.pt")["step"] == step + 1
    assert not (tmp_path / "run-5").exists()
    assert not (tmp_path / "bundle").exists()
    assert main(command(STEPS)) == 0
    assert (tmp_path / "bundle" / "contract.json").is_file()


def wait_for(path: Path, process: subprocess.Popen) -> None:
    while not path.is_file():
        assert process.poll() is None
        time.sleep(0.05)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_group_spares_the_processes_that_read(command, tmp_path, number, status):
    """A terminal sends SIGINT to all processes of the command, `torchrun` SIGTERM."""
    line = [sys.executable, "-m", "crafx2", *command(100_000, workers=1)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(tmp_path / "run-3" / "last.pt", process)
    os.killpg(process.pid, number)
    errors = process.communicate(timeout=100)[1]
    assert process.returncode == status
    assert errors.splitlines()[-1].startswith("crafx2: stopped after step")
    assert "Traceback" not in errors


def test_a_signal_to_one_process_stops_all(command, tmp_path):
    processes = in_two_processes(["-m", "crafx2", *command(100_000)])
    wait_for(tmp_path / "run-3" / "last.pt", processes[0])
    processes[1].send_signal(signal.SIGTERM)
    for process in processes:
        process.communicate(timeout=100)
    assert [process.returncode for process in processes] == [143, 143]


def test_a_second_ctrl_c_acts_as_usual():
    with pytest.raises(KeyboardInterrupt), StopRequest() as request:
        signal.raise_signal(signal.SIGINT)
        assert request.number == signal.SIGINT
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_no_step_heeds_is_raised_in_the_end():
    with pytest.raises(KeyboardInterrupt), StopRequest():
        signal.raise_signal(signal.SIGINT)


def test_ignored_signals_and_other_threads_are_left_alone():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with StopRequest():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    found = []

    def enter():
        with StopRequest():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
