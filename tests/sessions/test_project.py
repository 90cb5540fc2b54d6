"""A session's folder: moved, locked, killed, copied."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from napari_relay.folders import data_folder
from napari_relay.images import open_image
from napari_relay.session import Session
from napari_relay.sessions import Camera, Manifest, Project, SessionCopy, read_manifest
from napari_relay.sessions.corrected_images import corrected_images, open_entry
from napari_relay.sessions.formats import MANIFEST
from napari_relay.sessions.project import prune_unnamed, unnamed_folder
from napari_relay.sessions.recent import forget_session, recent_sessions, remember_session
from relay_tokens import UserError
from tests.colors import untrained, write_picture
from tests.sessions.conftest import entry_of

HOLD = """
import sys, time
from pathlib import Path
from napari_relay.sessions import Project
project = Project.open(Path(sys.argv[1]))
print(project.read_only or "held", flush=True)
time.sleep(60)
"""
KILL = """
import os, random, signal, sys, time
from dataclasses import replace
from pathlib import Path
from napari_relay.sessions import Camera, Project
folder = Path(sys.argv[1])
for _ in range(20):
    ready, begins = os.pipe()
    child = os.fork()
    if not child:
        project = Project.open(folder)
        assert not project.read_only, project.read_only
        for number in range(10**9):
            project.put(replace(project.manifest, camera=Camera((float(number), 0.0), 1.0)))
            project.flush()
            os.write(begins, b"1") if not number else None
    os.read(ready, 1)
    time.sleep(random.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    again = Project.open(folder)
    assert not again.read_only and len(again.manifest.images) == 1 and again.manifest.camera
    again.close()
    print("whole", flush=True)
"""


def started(program: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


# --- where files are


def test_a_session_that_moves_together_with_its_image_finds_it(
    project: Project, picture: Path, tmp_path: Path
) -> None:
    picture.parent.rename(tmp_path / "other disk")
    again = Project.open(tmp_path / "other disk" / "site.relay")
    (entry,) = again.manifest.images
    assert again.image_files(entry) == (tmp_path / "other disk" / "picture.tif",)
    again.close()


def test_a_session_that_moves_alone_finds_its_image_where_it_was(
    project: Project, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    project.folder.rename(tmp_path / "far" / "away" / "site.relay")
    again = Project.open(tmp_path / "far" / "away" / "site.relay")
    assert again.image_files(again.manifest.images[0]) == (picture,)
    again.close()


def test_an_image_that_is_gone_is_not_found_and_named(project: Project, picture: Path) -> None:
    picture.rename(picture.with_name("renamed.tif"))
    entry = project.manifest.images[0]
    assert project.image_files(entry) is None
    with pytest.raises(UserError, match=r"picture\.tif is not there any more; choose"):
        open_entry(project, entry)


def test_a_file_of_another_size_in_its_place_is_refused(project: Project, picture: Path) -> None:
    write_picture(picture, 300, 300)
    with pytest.raises(UserError, match="another file than the one of the session"):
        open_entry(project, project.manifest.images[0])


def test_an_image_of_the_same_size_with_other_pixels_is_refused(
    project: Project, picture: Path
) -> None:
    content = bytearray(picture.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 9000] = bytes(9000)
    picture.write_bytes(bytes(content))
    with pytest.raises(UserError, match="another image than the one of the session"):
        list(corrected_images(project, untrained().metadata))


def test_a_sample_is_found_wherever_the_package_is_installed(project: Project) -> None:
    from napari_relay.samples import sample_slide

    reference = project.refer(sample_slide())
    elsewhere = replace(reference, absolute="/nowhere/CMU-1-Small-Region.svs", relative=None)
    assert elsewhere.find(project.folder) == sample_slide()


# --- who writes


def test_a_second_process_may_only_look_and_the_first_one_is_named(project: Project) -> None:
    first = started(HOLD, project.folder)
    assert heard(first) == "held"
    second = Project.open(project.folder)
    assert f"open in another window (process {first.pid} on " in second.read_only
    assert not second.can_be_taken_over
    second.put(Manifest(second.manifest.images, camera=Camera((1.0, 1.0), 1.0)))
    assert not second.flush()
    third = started(HOLD, project.folder)
    assert "open in another window" in heard(third)
    killed(third)
    killed(first)


def test_a_killed_process_leaves_no_lock_behind(project: Project) -> None:
    first = started(HOLD, project.folder)
    assert heard(first) == "held"
    looking = Project.open(project.folder)
    killed(first)
    assert looking.can_be_taken_over
    again = Project.open(project.folder)
    assert not again.read_only
    again.close()


def test_the_work_on_an_image_has_one_writer_and_others_look(picture: Path, tmp_path: Path) -> None:
    first, second = Session(open_image(picture)), Session(open_image(picture))
    first.use_model(untrained())
    for result in first.predict():
        first.apply_tile(result)
    second.use_model(untrained())
    assert "picture.tif is open in another window" in second.read_only
    assert second.store is not None
    assert second.store.finished.all()
    for refused in (second.predict, second.finetune, lambda: second.accept(untrained())):
        with pytest.raises(UserError, match="only be looked at"):
            refused()
    first.close()
    second.move_to(second.folder)
    assert not second.read_only
    assert list(second.predict()) == []
    second.close()


def test_looking_does_not_touch_corrections_that_are_being_painted(picture: Path) -> None:
    import numpy as np

    from napari_relay.geometry import Window

    first = Session(open_image(picture))
    first.use_model(untrained())
    assert first.corrections is not None
    first.corrections.write(Window(0, 0, 9, 9), np.ones((9, 9), np.uint8))
    first.corrections.pyramid._cache.flush()  # as in the midst of a save: its marker is there
    before = sorted(path for path in first.folder.rglob("*"))
    second = Session(open_image(picture))
    second.use_model(untrained())
    assert second.corrections is not None
    assert (second.corrections.read(Window(0, 0, 9, 9)) == 1).all()
    with pytest.raises(UserError, match="opened to be looked at"):
        second.corrections.write(Window(0, 0, 9, 9), np.zeros((9, 9), np.uint8))
    second.close()
    assert sorted(path for path in first.folder.rglob("*")) == before
    first.close()


def test_a_model_that_predicted_nothing_cannot_be_begun_by_who_only_looks(picture: Path) -> None:
    first, second = Session(open_image(picture)), Session(open_image(picture))
    first.use_model(untrained())
    other = untrained("other")
    other.model.load_state_dict({k: v * 2 for k, v in other.model.state_dict().items()})
    with pytest.raises(UserError, match="other has predicted nothing of"):
        second.use_model(other)
    assert second.checkpoint is None
    first.close()


# --- writing


@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_a_session_opens_after_each_of_twenty_kills_while_it_was_saved(project: Project) -> None:
    process = started(KILL, project.folder)
    said, _ = process.communicate(timeout=120)
    assert said.split() == ["whole"] * 20


def test_what_cannot_be_written_is_kept_and_tried_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Project.open(project.folder)
    again.put(replace(again.manifest, camera=Camera((5.0, 6.0), 2.0)))
    with monkeypatch.context() as full:

        def write(path: Path, text: str) -> None:
            raise OSError(28, "No space left on device")

        full.setattr("napari_relay.sessions.formats.write_whole", write)
        for _ in range(2):
            with pytest.raises(UserError, match=r"cannot be saved .No space left"):
                again.flush()
    assert again.flush()
    assert read_manifest(project.folder).camera == Camera((5.0, 6.0), 2.0)
    again.close()


def test_a_session_on_a_disk_that_cannot_be_written_is_looked_at(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def acquire(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", acquire)
    again = Project.open(project.folder)
    assert "cannot be written (Permission denied)" in again.read_only
    assert not again.can_be_taken_over


# --- copies


def worked_on(project: Project, picture: Path) -> Project:
    """The session again, with a prediction and a correction."""
    import numpy as np

    from napari_relay.geometry import Window

    again = Project.open(project.folder)
    session = Session(open_image(picture), again.image_folder(again.manifest.images[0]))
    session.use_model(untrained())
    list(session.predict())
    assert session.corrections is not None
    session.corrections.write(Window(5, 5, 20, 20), np.ones((20, 20), np.uint8))
    session.close()
    return again


def test_a_copy_has_all_the_work_and_finds_the_image_from_its_place(
    project: Project, picture: Path, tmp_path: Path
) -> None:
    open_project = worked_on(project, picture)
    copy = SessionCopy(open_project, tmp_path / "elsewhere" / "copy")
    last = list(copy.run())[-1]
    assert last.done == last.total > 0
    assert not copy.target.exists()  # not before it is whole
    target = copy.finish()
    assert target == tmp_path / "elsewhere" / "copy.relay"
    there = Project.open(target)
    assert not there.read_only
    (entry,) = there.manifest.images
    assert entry.image.files[0].relative == "../../work/picture.tif"
    session = Session(open_entry(there, entry), there.image_folder(entry))
    session.use_model(untrained())
    assert session.store is not None
    assert session.store.finished.all()
    assert session.corrections is not None
    assert session.corrections.class_counts().tolist() == [0, 400, 0]
    session.close()
    there.close()
    open_project.close()


def test_what_changes_while_a_session_is_copied_is_in_the_copy_too(
    project: Project, picture: Path, tmp_path: Path
) -> None:
    open_project = worked_on(project, picture)
    folder = open_project.image_folder(open_project.manifest.images[0])
    (folder / "gone soon").write_text("a")
    copy = SessionCopy(open_project, tmp_path / "copy")
    list(copy.run())
    (folder / "gone soon").unlink()
    (folder / "new").write_text("b")
    there = Project.open(copy.finish())
    copied = there.image_folder(there.manifest.images[0])
    assert (copied / "new").read_text() == "b"
    assert not (copied / "gone soon").exists()
    there.close()
    open_project.close()


def test_a_copy_that_is_stopped_or_fails_leaves_nothing_and_the_session_as_it_was(
    project: Project, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_project = worked_on(project, picture)
    stopped = SessionCopy(open_project, tmp_path / "far" / "stopped").run()
    next(stopped)
    stopped.close()

    def copy(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(shutil, "copy2", copy)
        with pytest.raises(UserError, match=r"with enough room\. It stays where it was"):
            list(SessionCopy(open_project, tmp_path / "far" / "full").run())
    assert list((tmp_path / "far").iterdir()) == []
    assert Project.open(project.folder).manifest == open_project.manifest
    open_project.close()


def test_a_copy_never_overwrites_anything(project: Project, tmp_path: Path) -> None:
    (tmp_path / "there.relay").mkdir()
    with pytest.raises(UserError, match="exists already"):
        SessionCopy(project, tmp_path / "there")
    with pytest.raises(UserError, match="within the session itself"):
        SessionCopy(project, project.folder / "images" / "copy")


# --- sessions without a name


def test_the_work_of_a_session_without_a_name_is_found_by_its_image_alone(picture: Path) -> None:
    unnamed = Project.create_unnamed()
    entry = entry_of(unnamed, picture)
    alone = Session(open_image(picture))
    assert unnamed.image_folder(entry) == alone.folder
    assert alone.folder.parent == data_folder() / "sessions"
    unnamed.put(Manifest((entry, entry)))
    assert unnamed.name == "picture.tif + 1 more"
    unnamed.close()


def test_old_sessions_without_a_name_are_forgotten_but_not_one_that_is_open(picture: Path) -> None:
    made = [Project.create_unnamed() for _ in range(15)]
    for project in made:
        project.put(Manifest((entry_of(project, picture),)))
        project.flush()
    for age, project in enumerate(reversed(made)):
        os.utime(project.folder, (10**9 - age, 10**9 - age))
    for project in made[1:]:
        project.close()
    prune_unnamed()
    assert sorted(unnamed_folder().iterdir()) == sorted(p.folder for p in (made[0], *made[3:]))
    made[0].close()


def test_recent_sessions_are_listed_latest_first_with_what_is_gone(
    project: Project, tmp_path: Path
) -> None:
    remember_session(tmp_path / "gone.relay")
    remember_session(project.folder)
    here, gone = recent_sessions()
    assert (here.name, here.images, here.missing) == ("site", ("picture.tif",), False)
    assert (gone.name, gone.missing) == ("gone", True)
    forget_session(gone.folder)
    assert [session.folder for session in recent_sessions()] == [project.folder]


def test_a_new_session_takes_nobodys_place(tmp_path: Path) -> None:
    (tmp_path / "taken.relay").mkdir()
    with pytest.raises(UserError, match="exists already"):
        Project.create(tmp_path / "taken.relay")
    assert not (tmp_path / "taken.relay" / MANIFEST).exists()


# --- several images


def test_corrections_of_all_images_with_the_same_classes_come_together(
    project: Project, picture: Path
) -> None:
    second = write_picture(picture.with_name("second.tif"), 200, 260)
    first = worked_on(project, picture)
    first.put(Manifest((*first.manifest.images, entry_of(first, second))))
    ((image, store),) = corrected_images(first, untrained().metadata)
    assert (image.source, int(store.class_counts().sum())) == (picture, 400)
    first.close()
