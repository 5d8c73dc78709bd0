"""What is drawn in a picture, as plain numbers and words."""

import numpy as np


def line_points(panel):
    """The points of every drawn line of a panel, x and y in turn; legend entries have none."""
    drawn = [line for line in panel.lines if len(line.get_xdata())]
    return {
        tuple(np.column_stack([line.get_xdata(), line.get_ydata()]).astype(float).ravel().round(9)) for line in drawn
    }


def rows_as_points(groups, x, y):
    return {tuple(rows[[x, y]].to_numpy(float).ravel().round(9)) for rows in groups}


def title(picture):
    return picture.figure.get_suptitle()
