"""Projects on disk: which files are read, in which encodings, and what is said about the others.

Must never leave the folder it was given.
"""

import errno
import os

import pytest

from orchestrator.errors import InvalidProject
from orchestrator.language import compile_sources, load, sources
from orchestrator.language.problems import Problems


@pytest.fixture
def folder(tmp_path, sound):
    """Write the sound project."""
    for name, text in sound.items():
        write(tmp_path / name, text.encode())
    return tmp_path


def write(path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


def problems_in(directory) -> list[str]:
    try:
        found = load(directory).warnings
    except InvalidProject as error:
        found = error.problems
    return [f"{each.file}:{each.line}:{each.column} {each.code}" for each in found]


def test_a_project_is_read_from_its_folder(folder, sound):
    loaded = load(folder)
    assert list(loaded.definitions) == ["hello"]
    assert loaded.sources == sound
    assert compile_sources(loaded.sources).catalog.current[0].id == "hello"


def test_a_published_version_compiles_from_its_texts_alone(folder):
    (folder / "messages/welcome.message.yaml").write_text("message: welcome\nemail: {subject: S, html: parts/w.html}\n")
    write(folder / "messages/parts/w.html", b"<p>Hello</p>")
    loaded = load(folder)
    again = compile_sources(loaded.sources)
    assert again.messages["welcome"].channels == {"email": {"subject": "S", "html": "<p>Hello</p>"}}
    assert again.sources == loaded.sources


def test_what_may_not_be_published_is_said_at_the_version(folder):
    (definition,) = load(folder).definitions.values()
    problem = definition.refused("what it means has changed", "version: 2")
    line = next(n for n, text in enumerate(definition.source.splitlines(), 1) if text.startswith("version:"))
    assert str(problem) == f"{definition.file}:{line}:10: E323 what it means has changed; write: version: 2"


def test_journeys_may_stand_in_folders_of_their_own(folder, sound):
    write(folder / "spring/sale.journey.yaml", sound["hello.journey.yaml"].replace("hello", "sale").encode())
    assert list(load(folder).definitions) == ["hello", "sale"]


def test_another_project_inside_is_left_alone_and_so_is_what_hides(folder, sound):
    write(folder / "other/orchestrator.yaml", b"project: other\n")
    write(folder / "other/x.journey.yaml", b"broken: [")
    write(folder / ".cache/x.journey.yaml", b"broken: [")
    assert problems_in(folder) == []


def test_a_folder_without_a_project_says_where_one_is(folder):
    with pytest.raises(InvalidProject) as caught:
        load(folder.parent)
    (problem,) = caught.value.problems
    assert (problem.code, problem.fix) == ("E119", f"the folder {folder.name}")


@pytest.mark.parametrize("name", ["orchestrator.yml", "Orchestrator.yaml", "orchestrator.yaml.txt"])
def test_a_folder_whose_project_is_misnamed_says_so(folder, name):
    (folder / "orchestrator.yaml").rename(folder / name)
    with pytest.raises(InvalidProject) as caught:
        load(folder)
    (problem,) = caught.value.problems
    assert (problem.code, problem.fix) == ("E119", f"orchestrator.yaml as the name of {name}")


def test_a_folder_that_is_not_there_is_said_to_be(tmp_path):
    assert problems_in(tmp_path / "nowhere") == ["orchestrator.yaml:1:1 E119"]
    assert problems_in(tmp_path) == ["orchestrator.yaml:1:1 E119"]


def test_texts_without_a_project_are_refused(sound):
    del sound["orchestrator.yaml"]
    with pytest.raises(InvalidProject) as caught:
        compile_sources(sound)
    assert [problem.code for problem in caught.value.errors] == ["E119"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("journey: j\n".encode("utf-16"), "1:1 E102"),
        ("journey: j\n".encode("utf-16-be"), "1:1 E102"),
        ("journey: j\n".encode("utf-16-le"), "1:1 E102"),
        ("journey: j\n".encode("utf-32"), "1:1 E102"),
        ("journey: j\ntitle: Añoranza\n".encode("latin-1"), "2:9 E102"),
        (b"\xef\xbb\xbfjourney: j\ntitle: \xff\n", "2:8 E102"),
        (b"x" * (sources.MAX_BYTES + 1), "1:1 E105"),
        (b"journey: \x07\n", "1:10 E103"),
    ],
)
def test_a_file_in_another_encoding_is_refused_with_the_place(folder, raw, expected):
    write(folder / "odd.journey.yaml", raw)
    assert problems_in(folder) == [f"odd.journey.yaml:{expected}"]


def test_a_file_that_others_name_is_not_called_missing_for_its_encoding(folder):
    write(folder / "products.csv", "sku,title\nL1,Lámpara\n".encode("cp1252"))
    write(folder / "messages/hi.html", "<p>¡Hola!</p>".encode("utf-16"))
    welcome = "message: welcome\nemail: {subject: S, html: hi.html}\n"
    write(folder / "messages/welcome.message.yaml", welcome.encode())
    with (folder / "orchestrator.yaml").open("a") as file:
        file.write("catalogs: {products: {file: products.csv, key: sku}}\n")
    assert problems_in(folder) == ["messages/hi.html:1:1 E102", "products.csv:2:5 E102"]


def test_a_byte_order_mark_does_no_harm(folder, sound):
    write(folder / "hello.journey.yaml", b"\xef\xbb\xbf" + sound["hello.journey.yaml"].encode())
    assert problems_in(folder) == []


def test_windows_line_ends_do_no_harm(folder, sound):
    write(
        folder / "hello.journey.yaml",
        sound["hello.journey.yaml"].replace("\n", "\r\n").encode() + b"exit: {evnt: x}\r\n",
    )
    assert problems_in(folder) == ["hello.journey.yaml:7:8 E202"]


def test_a_yaml_file_whose_name_says_nothing_is_doubted(folder):
    write(folder / "hello.journey.yml", b"journey: h")
    write(folder / "notes.yaml", b"a: b")
    write(folder / "readme.md", b"# Shop")
    assert problems_in(folder) == ["hello.journey.yml:1:1 W308", "notes.yaml:1:1 W308"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("hello.journey.yml", "hello.journey.yaml"),
        ("hello.journey.YAML", "hello.journey.yaml"),
        ("hello.journey.yaml.txt", "hello.journey.yaml"),
        ("hello.journey (1).yaml", "hello (1).journey.yaml"),
        ("hello.yaml", "hello.journey.yaml"),
        ("messages/hello.yaml", "hello.message.yaml"),
        ("hello.message.yml", "hello.message.yaml"),
        ("segment.yaml", "segments.yaml"),
        ("spring/segments.yaml", "segments.yaml"),
        ("segments.yaml.txt", "segments.yaml"),
        ("Orchestrator.yml", "orchestrator.yaml"),
    ],
)
def test_a_file_that_is_not_read_is_told_the_name_by_which_it_would_be(folder, name, meant):
    write(folder / name, b"journey: h")
    (problem,) = load(folder).warnings
    assert (problem.file, problem.code, problem.fix) == (name, "W308", meant)


def test_a_file_that_leads_out_of_the_project_is_not_there(folder, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    secret.write_text("secret")
    (folder / "messages/link.txt").symlink_to(secret)
    (folder / "messages/welcome.message.yaml").write_text("message: welcome\nemail: {subject: S, text: link.txt}\n")
    assert problems_in(folder) == ["messages/welcome.message.yaml:2:27 E310"]


def test_a_file_that_cannot_be_read_is_said_to_be(folder, monkeypatch):
    problems = Problems()
    reader = sources.Folder(folder, problems)

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert reader.read("hello.journey.yaml") is None
    assert [problem.code for problem in problems.sorted] == ["E117"]


def test_a_folder_that_cannot_be_read_is_said_to_be_and_is_not_taken_for_empty(folder, monkeypatch):
    scandir, refused = os.scandir, {str(folder), str(folder / "messages")}

    def refuse(path):
        if str(path) in refused:
            raise OSError(errno.EMFILE, "Too many open files", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert problems_in(folder) == [".:1:1 E117"]
    refused.discard(str(folder))
    assert "messages:1:1 E117" in problems_in(folder)


def test_a_project_that_goes_away_while_it_is_read_is_not_taken_for_empty(folder, monkeypatch):
    def gone(reader):
        (folder / "orchestrator.yaml").unlink()
        return {}

    monkeypatch.setattr(sources.Folder, "definitions", gone)
    assert problems_in(folder) == ["orchestrator.yaml:1:1 E119"]


def test_a_name_that_no_disk_has_is_not_there(folder):
    assert sources.Folder(folder, Problems()).read("no\x00name") is None


def test_a_folder_of_everything_is_refused(folder, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILES", 3)
    write(folder / "zzz.txt", b"")
    assert "orchestrator.yaml:1:1 E118" in problems_in(folder)


def test_the_order_of_files_does_not_hang_on_the_disk(folder, monkeypatch):
    real = os.walk

    def backwards(top, **options):
        for place, folders, files in real(top, **options):
            folders.reverse()
            yield place, folders, files[::-1]

    write(folder / "messages/idle.message.yaml", b"message: idle\n")
    write(folder / "z.journey.yaml", b"journey: z\n")
    before = problems_in(folder)
    monkeypatch.setattr(os, "walk", backwards)
    assert problems_in(folder) == before
