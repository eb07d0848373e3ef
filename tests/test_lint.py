from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_sparsetol.cli import main
from tests.contract.samples import GOOD, write

SUITE = "suite: 1\nname: mine\nversion: 1\nshortest: 512\nlongest: 4k\ntasks:\n  a: {task: ruler_niah, style: words}\n"


def test_a_contract_that_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide = GOOD.replace("{single_qa: 0.7, multi_qa: 0.3}", "{single_qa: 0.6, multi_hop: 0.2, aggregation: 0.2}")
    path = write(tmp_path, wide.replace("  groups: {multi_qa: 0.08}\n", ""))
    assert main(["lint", str(path)]) == 0
    shown = capsys.readouterr()
    assert f"{path}: well-formed; suite frontier-small, version" in shown.out
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert any(line.startswith("qa_one single_qa low/low 0.25") for line in lines)
    assert any(line.startswith("high/low 20 % 1k, 2k cwe") for line in lines)
    assert "high/high 0 % none none" in lines
    assert "warning" not in shown.out
    assert not shown.err


def test_what_a_contract_cannot_claim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(write(tmp_path))]) == 0
    (warning,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert warning == (
        "warning: sparsetol.yaml: the mix says nothing about answers that need many facts; answers whose facts are "
        "hard to find or far apart (groups of suite 'frontier-small' that would: aggregation, multi_hop): its results "
        "claim nothing there"
    )


def test_a_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SUITE, encoding="utf-8")
    assert main(["lint", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "well-formed; suite mine, version 1" in shown
    assert "traffic" not in shown


def test_a_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path)
    assert main(["lint", "--profile", "premerge", str(path)]) == 0
    assert "1k, 2k" not in capsys.readouterr().out
    assert main(["lint", "--profile", "premerg", str(path)]) == 1
    assert "no profile 'premerg'; did you mean 'premerge'" in capsys.readouterr().err


def test_files_that_are_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = write(tmp_path, GOOD.replace("multi_qa: 0.3", "multy_qa: 0.3"))
    suite = tmp_path / "mine.yaml"
    suite.write_text(SUITE.replace("style: words", "stile: words"), encoding="utf-8")
    assert main(["lint", str(wrong), str(suite), str(tmp_path / "none.yaml")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.rsplit(f"{tmp_path}", 1)[1].split(" ", 1)[0] for line in lines] == [
        "/sparsetol.yaml:5:33:",
        "/mine.yaml:7:32:",
        "/none.yaml:",
    ]


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["lint"], ["lnt"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "check contracts and suites" in capsys.readouterr().out


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    path = write(tmp_path)
    code = (
        "import sys; from pytest_sparsetol.cli import main; status = main(['lint', sys.argv[1]]); "
        "sys.exit(status or bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True)


@pytest.mark.parametrize("more", [(), ("-n", "2"), ("-W", "error")])
def test_one_warning_where_a_contract_is_collected(pytester: pytest.Pytester, more: tuple[str, ...]) -> None:
    path = write(pytester.path)
    arguments = ["-q", *more] if more == ("-n", "2") else ["-q", "--co", *more]
    shown = pytester.runpytest_subprocess(*arguments, path.name, "-k", "nothing").stdout.str()
    said = "sparsetol.yaml: the mix says nothing about answers that need many facts"
    assert shown.count(said) == 1
    assert "error" not in shown
