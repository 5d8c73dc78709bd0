"""Table 1 of arXiv 2002.03432 as printed, and what its text says of its figures on MNIST."""

import pandas as pd

from normbench.papers.published import table


def published_gan() -> pd.DataFrame:
    """The GAN of Table 1 of arXiv 2002.03432 by optimiser: ``learning_rate, fid``; LARS, not in it, as Fromage."""
    printed = table("fromage", "table1")
    row = printed[printed["benchmark"].str.startswith("GAN")].iloc[0]
    figures = {key: (float(row[f"{key}_lr"]), str(row[key])) for key in ("fromage", "adam", "sgd")}
    figures["lars"] = (figures["fromage"][0], "")
    return pd.DataFrame.from_dict(figures, orient="index", columns=["learning_rate", "fid"])


def published_on_mnist(figure: int) -> str:
    """What the paper says of a figure, in one line: its networks, how they were trained, what was seen."""
    rows = table("fromage", "mnist").set_index("figure")
    network, protocol, finding, source = rows.loc[figure, ["network", "protocol", "finding", "source"]]
    return f"Published, MNIST, {network}, {protocol}: {finding} ({source})."
