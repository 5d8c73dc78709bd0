"""WikiText-2, word by word: sequences of 35 tokens of Wikipedia articles, and the tokens that follow them.

SHA-256 of the archive as recorded by several public loaders (CorpusLoaders.jl and MLDatasets.jl among them); torchtext
has its MD5, 542ccefacc6c27f945fb54453812b3cd. The original host no longer serves it; the author of the data does.
"""

import io
from collections.abc import Iterator, Mapping

import numpy as np

from normbench.data.contents import CONTENTS
from normbench.data.dataset import Dataset
from normbench.data.files import RemoteFile
from normbench.data.source import FileSet, PublishedSource, SourceInfo
from normbench.errors import DataError

NAME = "wikitext-2"
LENGTH = 35  # tokens of a sequence, as in the published word-level language models
UNKNOWN, END_OF_LINE = "<unk>", "<eos>"
TRAINING, TEST = "wikitext-2/wiki.train.tokens", "wikitext-2/wiki.test.tokens"
ARCHIVE = RemoteFile(
    "wikitext-2-v1.zip",
    "https://wikitext.smerity.com/wikitext-2-v1.zip",
    "sha256",
    "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
    contents=CONTENTS[NAME],
)


def words_of(text: str) -> Iterator[str]:
    """Words of a text in order, ``<eos>`` after every line, empty ones included."""
    for line in io.StringIO(text):
        yield from line.split()
        yield END_OF_LINE


def vocabulary_of(words: list[str]) -> tuple[str, ...]:
    """``<unk>`` and ``<eos>``, then every other word of the training part in the order of its first occurrence."""
    return tuple(dict.fromkeys([UNKNOWN, END_OF_LINE, *words]))


def sequences(tokens: np.ndarray, *, length: int = LENGTH) -> tuple[np.ndarray, np.ndarray]:
    """Cut a text into sequences, with the next token for every one.

    x_n = t[nL : nL + L],   y_n = t[nL + 1 : nL + L + 1]

    Parameters
    ----------
    tokens : array of int64, shape (tokens,)
    length : int
        L.

    Returns
    -------
    inputs, outputs : arrays of int64, shape ((tokens - 1) // length, length)
        Fewer than ``length`` tokens at the end are left out.
    """
    used = (len(tokens) - 1) // length * length
    return tokens[:used].reshape(-1, length), tokens[1 : used + 1].reshape(-1, length)


def read_parts(contents: Mapping[str, bytes]) -> Dataset:
    """Sequences of the training and the test part; the validation part is not read.

    Parameters
    ----------
    contents : mapping of str to bytes
        The two texts by name.

    Returns
    -------
    Dataset
        Training sequences first. ``classes`` are the words of the training part; a word of the test part that is
        not among them becomes ``<unk>`` (the published archive has none).

    Raises
    ------
    DataError
        If a part is not UTF-8, or shorter than one sequence.
    """
    training, test = (list(words_of(_decode(name, contents[name]))) for name in (TRAINING, TEST))
    vocabulary = vocabulary_of(training)
    number = {word: token for token, word in enumerate(vocabulary)}
    parts = []
    for member, words in ((TRAINING, training), (TEST, test)):
        if len(words) <= LENGTH:
            raise DataError(f"{member} has {len(words)} tokens; expected more than {LENGTH}.")
        tokens = np.fromiter((number.get(word, number[UNKNOWN]) for word in words), np.int64, len(words))
        parts.append(sequences(tokens))
    inputs, outputs = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Dataset(
        name=NAME,
        simulated=False,
        inputs=inputs,
        outputs=outputs,
        classes=vocabulary,
        official=np.arange(len(inputs)) >= len(parts[0][0]),
    )


def _decode(member: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{member} is not UTF-8 text ({error}). Download the archive again.") from error


SOURCE = PublishedSource(
    SourceInfo(
        name=NAME,
        description=(
            f"Text: 66,691 sequences of {LENGTH} words from 2.3 million words of Wikipedia articles; the next word is "
            "asked for."
        ),
        terms="CC BY-SA (text of Wikipedia); downloaded, not redistributed here.",
        url="https://arxiv.org/abs/1609.07843",
        citation="Merity, Xiong, Bradbury and Socher, Pointer sentinel mixture models, arXiv 1609.07843.",
        samples=66_691,
        shape=(LENGTH,),
        test_samples=7_016,
        classes=33_278,
        splits=("random", "official"),
        files=(ARCHIVE,),
    ),
    file_sets=(FileSet((ARCHIVE,), read_parts, ("wikitext-2",), archives=("wikitext-2",)),),
)
