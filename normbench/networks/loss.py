"""What a network is trained to make small (arXiv 2304.05187, Examples 1 and 2)."""

from enum import StrEnum


class Loss(StrEnum):
    """A loss, as a mean over the samples x with targets y.

    square:         ||f(x) - y||^2 / (2 divisor), with divisor d_L in Example 1 and 1 in arXiv 2312.10672
    cross_entropy:  -<y, log softmax(f(x))>, with y a distribution over the classes, or an integer for one class;
                    a distribution may be multiplied by the weight of its sample, whose loss then has that weight

    Outputs f(x) have the shape (samples, ...), for cross-entropy with the scores of the classes along the last axis;
    targets have the same, or are integer classes, without the last axis. The divisor is of no meaning to cross-entropy.
    Where a sample has several outputs in a row, as one per token, the mean of the cross-entropy is over all of them.
    """

    SQUARE = "square"
    CROSS_ENTROPY = "cross_entropy"
