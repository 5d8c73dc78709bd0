"""What the published files hold, unpacked: one table of digests, which decides whether a file is the published one.

Where the digests come from, and what could be checked: MNIST, the flights of Neural-Fly and the labels of Fashion-MNIST
were computed from the files themselves. MD5 of the images of Fashion-MNIST, MD5 of the Python version of CIFAR (as in
torchvision) and SHA-1 of the parts of WikiText-2 (as in GluonNLP; the test part was checked) are those that public
loaders state. The binary version of CIFAR-10 has the git ids of its files in one public repository, unchecked. The git
ids of the quadrotor files are those of the repositories that they come from. Nobody states digests of the unpacked
binary files of CIFAR-100: that version is known by its archive alone.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from normbench.errors import InvalidArgumentError

ALGORITHMS = ("sha256", "sha1", "md5", "git-blob")
UNKNOWN_SIZE_BYTES = 256 << 20  # the most that is read of a content whose size nobody states


@dataclass(frozen=True)
class Content:
    """What one published file holds once it is unpacked.

    Attributes
    ----------
    name : str
        Its name, with the folder within its archive if it has one.
    algorithm : str
        ``"sha256"``, ``"sha1"``, ``"md5"``, or ``"git-blob"`` for SHA-1 of ``b"blob <size>\\0"`` and the content.
    digest : str
        Hexadecimal digits; empty where nobody states them.
    size : int or None
        Bytes; None where nobody states it.
    text : bool
        True if line ends, a byte order mark and newlines at the end are no part of what it says.
    title : str
        What it is, for messages; empty where the name says it.
    aliases : tuple of str
        Other names that it has in the wild, without folders.

    Raises
    ------
    InvalidArgumentError
        If the algorithm is unknown.
    """

    name: str
    algorithm: str
    digest: str
    size: int | None = None
    text: bool = False
    title: str = ""
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise InvalidArgumentError(f"unknown checksum {self.algorithm!r}; choose from {', '.join(ALGORITHMS)}.")

    @property
    def base(self) -> str:
        """The name without folders."""
        return self.name.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The folder within its archive."""
        return self.name.rpartition("/")[0]

    @property
    def most_bytes(self) -> int:
        """The most that a file with this content can hold: as text it may be UTF-16, or have longer line ends."""
        size = UNKNOWN_SIZE_BYTES if self.size is None else self.size
        return 2 * size + 1024 if self.text else size

    def published(self, found: bytes) -> bytes | None:
        """The published bytes if ``found`` says the same, else None."""
        forms = text_forms(found) if self.text else iter([found])
        return next((form for form in forms if digest_of(form, self.algorithm) == self.digest), None)


def digest_of(content: bytes, algorithm: str) -> str:
    """Checksum of bytes as hexadecimal digits; for the algorithms see :class:`Content`."""
    hasher = hasher_of(algorithm, len(content))
    hasher.update(content)
    return str(hasher.hexdigest())


def hasher_of(algorithm: str, size: int) -> Any:
    """What takes the bytes of a content of that size; git's checksum begins with it."""
    if algorithm == "git-blob":
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    return hashlib.new(algorithm, usedforsecurity=False)


def text_forms(content: bytes) -> Iterator[bytes]:
    """A text as it is, then with other line ends, without a byte order mark, with no to two newlines at its end."""
    yield content
    body = _plain_utf8(content).replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n")
    for end in (b"\n", b"\r\n"):
        lines = body.replace(b"\n", end)
        for ends in range(3):
            yield lines + end * ends


def _plain_utf8(content: bytes) -> bytes:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, as PowerShell writes it
        return content.decode("utf-16", errors="replace").encode()
    return content.removeprefix(b"\xef\xbb\xbf")


_IDX = (
    ("train-images-idx3-ubyte", 47_040_016, "the training images", "x_train.npy"),
    ("train-labels-idx1-ubyte", 60_008, "the training labels", "y_train.npy"),
    ("t10k-images-idx3-ubyte", 7_840_016, "the test images", "x_test.npy"),
    ("t10k-labels-idx1-ubyte", 10_008, "the test labels", "y_test.npy"),
)


def _idx(*digests: tuple[str, str]) -> tuple[Content, ...]:
    return tuple(
        Content(name, algorithm, digest, size, title=title, aliases=(name.replace("-idx", ".idx"), array))
        for (name, size, title, array), (algorithm, digest) in zip(_IDX, digests, strict=True)
    )


def _members(folder: str, algorithm: str, members: Mapping[str, tuple[str, int | None]]) -> tuple[Content, ...]:
    return tuple(
        Content(f"{folder}/{name}", algorithm, digest, size, text=name.endswith(".txt"))
        for name, (digest, size) in members.items()
    )


_BATCH_BYTES = 10_000 * (1 + 3072)

CONTENTS: Mapping[str, tuple[Content, ...]] = MappingProxyType(
    {
        "neural-fly": tuple(
            Content(f"custom_figure8_{controller}_nowind.csv", "sha256", digest, size, text=True)
            for controller, digest, size in (
                ("L1", "5de2acb04f22a05bafa58af13b468f69b5273e41f1e3a81618b59a74de3a33e6", 2_175_344),
                ("NF-C", "806ef882c15dcc1f567d8d19430b6de55fb69a3fc294a41a7c7595cdac6fd5fb", 2_187_678),
                ("NF-T", "5245bdb4913f66ce2c5f8078b6a3130cdd346e244e6a8b8e3475eecb14b10c49", 2_175_803),
                ("NF", "885cf1450f2953f6c4e6088a9aa2248a10c02e9ae54fe3884e72a8fbe0371f1a", 2_183_128),
                ("baseline", "9000c62eef3b9ec893f551c4b5dbac6d24d1902dac7705786bb6877c8118808a", 2_172_856),
                ("indi", "1a6e0dfd795cbd59a804a7245cd0476ea7143ffbc1cd5bc1725dfeb68d8ed07d", 2_188_321),
            )
        ),
        "quadrotor": tuple(
            Content(name, "git-blob", digest, text=True)
            for name, digest in (
                ("neural_lander_data.csv", "3f26c8aee15c1f899c71cda27925851b1ec5d93c"),
                ("_slash_mavros_slash_local_position_slash_pose.csv", "a8865b2d4863d9075e9d93d478875ddb27ccf4f0"),
                ("_slash_mavros_slash_local_position_slash_velocity.csv", "67ac1fa3d13b93009827e1caeb2658868ea6b17f"),
                ("_slash_mavros_slash_rc_slash_out.csv", "0bdf5c16bc1d9f6b132839b8c220a4650f49cc96"),
            )
        ),
        "mnist": _idx(
            ("sha256", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            ("sha256", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            ("sha256", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            ("sha256", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ),
        "fashion-mnist": _idx(
            ("md5", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
            ("sha256", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
            ("md5", "8181f5470baa50b63fa0f6fddb340f0a"),
            ("sha256", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ),
        "cifar-10": _members(
            "cifar-10-batches-bin",
            "git-blob",
            {
                "data_batch_1.bin": ("da09f891072747be90e69e4f00ba7cba870dc87e", _BATCH_BYTES),
                "data_batch_2.bin": ("7e958840b7a55df3353574298ebc9ca0e4bba48e", _BATCH_BYTES),
                "data_batch_3.bin": ("5259a3e9674ffdf2d5c33a1067f7192ff06c9e2f", _BATCH_BYTES),
                "data_batch_4.bin": ("301e7d16d78428f13262e87a5bc78ed45b8224aa", _BATCH_BYTES),
                "data_batch_5.bin": ("51fe428dfbdd065852912743ae8b7b63bb1e9d8d", _BATCH_BYTES),
                "test_batch.bin": ("e3f3b4653f18f27ada1558cabc3352a3ed1b25cc", _BATCH_BYTES),
                "batches.meta.txt": ("cc82768074b9031bc26f480af98f94d9e9411bce", 61),
            },
        ),
        "cifar-10 for Python": _members(
            "cifar-10-batches-py",
            "md5",
            {
                "data_batch_1": ("c99cafc152244af753f735de768cd75f", None),
                "data_batch_2": ("d4bba439e000b95fd0a9bffe97cbabec", None),
                "data_batch_3": ("54ebc095f3ab1f0389bbae665268c751", None),
                "data_batch_4": ("634d18415352ddfa80567beed471001a", None),
                "data_batch_5": ("482c414d41f54cd18b22e5b47cb7c3cb", None),
                "test_batch": ("40351d587109b95175f43aff81a1287e", None),
                "batches.meta": ("5ff9c542aee3614f3951f8cda6e48888", None),
            },
        ),
        "cifar-100": _members(
            "cifar-100-binary",
            "sha256",
            {
                "train.bin": ("", 50_000 * (2 + 3072)),
                "test.bin": ("", 10_000 * (2 + 3072)),
                "fine_label_names.txt": ("", None),
            },
        ),
        "cifar-100 for Python": _members(
            "cifar-100-python",
            "md5",
            {
                "train": ("16019d7e3df5f24257cddd939b257f8d", None),
                "test": ("f0ef6b0ae62326f3e7ffdfab6717acfc", None),
                "meta": ("7973b15100ade9c7d40fb424638fde48", None),
            },
        ),
        "wikitext-2": tuple(
            Content(f"wikitext-2/wiki.{part}.tokens", "sha1", digest, size, text=True, title=title)
            for part, digest, size, title in (
                ("train", "863f29c46ef9d167fff4940ec821195882fe29d1", None, "the training part"),
                ("test", "c7b8ce0aa086fb34dab808c5c49224211eb2b172", 1_256_449, "the test part"),
            )
        ),
    }
)
