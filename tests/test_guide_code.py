"""The code in the guides runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDES = Path(__file__).parents[1] / "docs" / "guides"


@pytest.mark.slow
def test_the_code_of_the_researchers_guide_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (GUIDES / "researcher.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "researcher.md", "exec"), {})
    *tiles, found = capsys.readouterr().out.splitlines()
    count = tiles[0].split()[-1]
    assert tiles[-1] == f"{count} of {count}"
    assert len(tiles) == int(count)
    assert found.endswith(")")


@pytest.mark.parametrize("guide", sorted(GUIDES.glob("*.md")), ids=lambda path: path.stem)
def test_every_link_and_picture_of_a_guide_is_there(guide: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", guide.read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert (guide.parent / link).exists(), link
