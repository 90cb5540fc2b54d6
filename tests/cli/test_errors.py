"""A user's mistake ends in one sentence and exit status 1."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.cli.group import sentence_for


def assert_one_sentence(result, *names: str) -> None:
    assert result.exit_code == 1
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(".")
    assert "Traceback" not in lines[0]
    assert all(name in lines[0] for name in names)


def test_a_text_file_with_an_image_s_name_is_refused(run, tmp_path):
    letter = tmp_path / "letter.tif"
    letter.write_text("Dear Sir or Madam")
    assert_one_sentence(run("info", letter), "letter.tif")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_tiff_is_refused(run, photo, tiny_model, tmp_path, share):
    cut = tmp_path / "cut.tif"
    content = photo.read_bytes()
    cut.write_bytes(content[: int(len(content) * share)])
    mask = tmp_path / "mask.tif"
    assert_one_sentence(run("predict", cut, "-m", tiny_model, "-o", mask), "cut.tif")
    assert not list(tmp_path.glob("*mask*"))


def test_a_missing_image_is_named(run, tiny_model, tmp_path):
    result = run("predict", tmp_path / "none.tif", "-m", tiny_model, "-o", tmp_path / "mask.tif")
    assert_one_sentence(result, "none.tif")


@pytest.mark.parametrize("command", ["info", "predict"])
def test_a_suffix_nobody_reads_is_named(run, tiny_model, tmp_path, command):
    notes = tmp_path / "notes.docx"
    notes.write_bytes(b"PK")
    options = ["-m", tiny_model, "-o", tmp_path / "mask.tif"] if command == "predict" else []
    assert_one_sentence(run(command, notes, *options), "notes.docx")


def test_an_unknown_model_is_named(run, photo, tmp_path):
    result = run("predict", photo, "-m", "no-such-model", "-o", tmp_path / "mask.tif")
    assert_one_sentence(result, "no-such-model")


def test_a_model_for_other_bands_is_refused(run, terrain, tiny_model, tmp_path):
    result = run("predict", terrain, "-m", tiny_model, "-o", tmp_path / "mask.tif")
    assert_one_sentence(result, "terrain.tif")
    assert not list(tmp_path.glob("*mask*"))


def test_a_window_outside_the_image_is_refused(run, photo, tiny_model, tmp_path):
    words = ["-m", tiny_model, "-o", tmp_path / "mask.tif", "--window", "1000,0,10,10"]
    assert_one_sentence(run("predict", photo, *words), "photo.tif", "1000,0,10,10")
    assert not list(tmp_path.glob("*mask*"))


def test_a_store_of_another_image_is_refused(run, photo, tiny_model, tmp_path):
    store = tmp_path / "store.zarr"
    run("predict", photo, "-m", tiny_model, "-o", store)
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, np.zeros((90, 80, 3), np.uint8), photometric="rgb")
    assert_one_sentence(run("predict", other, "-m", tiny_model, "-o", store), "store.zarr")


def test_a_device_that_is_not_there_is_named(run, photo, tiny_model, tmp_path):
    words = ["-m", tiny_model, "-o", tmp_path / "mask.tif", "--device", "abacus"]
    assert_one_sentence(run("predict", photo, *words), "abacus")


def test_an_output_of_an_unknown_kind_is_refused(run, photo, tiny_model, tmp_path):
    result = run("predict", photo, "-m", tiny_model, "-o", tmp_path / "mask.docx")
    assert_one_sentence(result, "mask.docx")


def test_an_output_where_no_folder_can_be_is_refused(run, photo, tiny_model, tmp_path):
    result = run("predict", photo, "-m", tiny_model, "-o", photo / "mask.tif")
    assert_one_sentence(result, "photo.tif")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_full_disk_is_one_sentence():
    def fill() -> None:
        with Path("/dev/full").open("w") as device:
            device.write("a line")

    with pytest.raises(OSError, match="No space") as caught:
        fill()
    assert "disk is full" in (sentence_for(caught.value) or "")


def test_a_full_disk_below_another_error_is_found():
    error = RuntimeError("a chunk could not be written")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "store.zarr")
    assert "store.zarr" in (sentence_for(error) or "")


def test_a_defect_keeps_its_traceback():
    assert sentence_for(ZeroDivisionError("a defect")) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are Linux's affair")
@pytest.mark.parametrize("command", ["app", "demo"])
def test_a_window_without_a_display_is_refused(run, monkeypatch, command):
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(variable, raising=False)
    assert_one_sentence(run(command), "display")


def test_a_window_without_qt_is_refused(run, monkeypatch):
    monkeypatch.setattr("napari_relay.cli.desktop.QT_BINDINGS", ("no_such_binding",))
    assert_one_sentence(run("app"), "pip install 'napari-relay[pyqt5]'")


def test_the_installed_command_reports_alike(tmp_path):
    finished = subprocess.run(
        [sys.executable, "-m", "napari_relay.cli", "info", str(tmp_path / "none.tif")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert finished.returncode == 1
    assert "none.tif" in finished.stderr
    assert "Traceback" not in finished.stderr
