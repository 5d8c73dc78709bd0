"""Claims about WikiText-2, on a generated archive in its format."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from normbench import data
from normbench.data import Kind, split_indices
from normbench.data.sources.wikitext import ARCHIVE, LENGTH, SOURCE, TEST, TRAINING, read_parts, sequences, words_of
from normbench.errors import DataError
from tests.published import stand_in

LINES = ["", " = Homarus gammarus = ", "", " The <unk> lobster is a lobster , blue in life . ", ""]
TRAINING_TEXT = "\n".join(LINES * 10) + "\n"
TEST_TEXT = "\n".join([*LINES, " The unseen lobster "] * 5) + "\n"


def write_archive(folder: Path, **replaced: bytes) -> Path:
    members = {"train": TRAINING_TEXT.encode(), "valid": b" only for tuning \n", "test": TEST_TEXT.encode()} | replaced
    path = folder / ARCHIVE.name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in members.items():
            archive.writestr(f"wikitext-2/wiki.{part}.tokens", content)
    return path


def read_archive(folder: Path) -> data.Dataset:
    with zipfile.ZipFile(folder / ARCHIVE.name) as archive:
        return read_parts({name: archive.read(name) for name in (TRAINING, TEST)})


def words(dataset: data.Dataset, tokens: np.ndarray) -> list[str]:
    return [dataset.classes[token] for token in tokens.ravel()]


def test_every_line_ends_with_its_own_token() -> None:
    assert list(words_of(" a b \n \nc\n")) == ["a", "b", "<eos>", "<eos>", "c", "<eos>"]


def test_archive_becomes_sequences_and_the_words_that_follow(tmp_path: Path) -> None:
    write_archive(tmp_path)
    dataset = stand_in(SOURCE, tmp_path).load(tmp_path)
    written = list(words_of(TRAINING_TEXT))
    training = (len(written) - 1) // LENGTH
    assert dataset.kind is Kind.TOKENS
    assert (dataset.inputs.dtype, dataset.outputs.dtype) == (np.int64, np.int64)
    assert dataset.inputs.shape == dataset.outputs.shape == (len(dataset.official), LENGTH)
    assert words(dataset, dataset.inputs[:training]) == written[: training * LENGTH]
    assert words(dataset, dataset.outputs[:training]) == written[1 : training * LENGTH + 1]
    np.testing.assert_array_equal(dataset.official, np.arange(len(dataset.inputs)) >= training)


def test_vocabulary_is_that_of_the_training_part_alone(tmp_path: Path) -> None:
    write_archive(tmp_path)
    dataset = read_archive(tmp_path)
    assert dataset.classes[:5] == ("<unk>", "<eos>", "=", "Homarus", "gammarus")
    assert set(dataset.classes) == set(words_of(TRAINING_TEXT))
    assert len(set(dataset.classes)) == len(dataset.classes)
    tested = words(dataset, dataset.inputs[dataset.official])
    expected = ["<unk>" if word == "unseen" else word for word in words_of(TEST_TEXT)]
    assert tested == expected[: len(tested)]


def test_validation_part_is_not_read(tmp_path: Path) -> None:
    write_archive(tmp_path)
    before = read_archive(tmp_path).sha256
    write_archive(tmp_path, valid=b"\xff another one")
    assert read_archive(tmp_path).sha256 == before


def test_every_listed_split_works(tmp_path: Path) -> None:
    write_archive(tmp_path)
    dataset = read_archive(tmp_path)
    for rule in SOURCE.info.splits:
        split = split_indices(dataset, rule=rule, seed=0)
        assert len(split.train) + len(split.test) == len(dataset.inputs)


@pytest.mark.parametrize(("tokens", "whole"), [(7, 2), (8, 2), (9, 2), (10, 3)])
def test_incomplete_sequence_at_the_end_is_left_out(tokens: int, whole: int) -> None:
    inputs, outputs = sequences(np.arange(tokens), length=3)
    np.testing.assert_array_equal(inputs, np.arange(3 * whole).reshape(whole, 3))
    np.testing.assert_array_equal(outputs, inputs + 1)


def test_documented_numbers_follow_from_the_published_token_counts() -> None:
    training, test = (len(sequences(np.zeros(tokens))[0]) for tokens in (2_088_628, 245_569))  # arXiv 1609.07843
    assert (training + test, test) == (SOURCE.info.samples, SOURCE.info.test_samples)


def test_archive_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path)
    with pytest.raises(DataError, match="not the published file: its content"):
        data.load("wikitext-2", data_dir=tmp_path)


@pytest.mark.parametrize("absent", [TRAINING, TEST])
def test_missing_member_is_named(tmp_path: Path, absent: str) -> None:
    source = stand_in(SOURCE, write_archive(tmp_path).parent)
    with zipfile.ZipFile(tmp_path / ARCHIVE.name, "w") as archive:
        for member in {TRAINING, TEST} - {absent}:
            archive.writestr(member, TRAINING_TEXT if member == TRAINING else TEST_TEXT)
    with pytest.raises(DataError, match=f"it lacks {absent}"):
        source.load(tmp_path)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path, train=TRAINING_TEXT.encode() + b"\xff")
    with pytest.raises(DataError, match=f"{TRAINING} is not UTF-8"):
        read_archive(tmp_path)


def test_part_shorter_than_a_sequence_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path, test=b" a b \n")
    with pytest.raises(DataError, match=f"{TEST} has 3 tokens; expected more than {LENGTH}"):
        read_archive(tmp_path)
