"""What is drawn in a picture, as plain numbers and words."""

import functools
import itertools

import vl_convert


@functools.lru_cache(maxsize=8)
def declared(picture):
    """The declaration of a picture, with the data of each layer in it."""
    whole = picture.chart.to_dict(validate=False)
    return _with_data(whole, whole.pop("datasets", {}))


def _with_data(node, datasets, shared=None):
    """Altair keeps data under names, and where all panels or layers share them, above these."""
    data = node.get("data", shared)
    found = node | ({} if data is None else {"data": {"values": datasets.get(data.get("name"), data.get("values"))}})
    for several in ("vconcat", "hconcat", "concat", "layer"):
        if several in node:
            found[several] = [_with_data(inner, datasets, data) for inner in node[several]]
    return found


def panels(picture):
    """The panels of a sheet in their order, its key left out."""
    body = declared(picture)["vconcat"][0]
    return (body["hconcat"][0] if "hconcat" in body else body)["concat"]


def key(picture):
    """Labels of the key."""
    [text] = layers(declared(picture)["vconcat"][0]["hconcat"][1], "text")
    return [row["label"] for row in text["data"]["values"]]


def kind(layer):
    return layer["mark"]["type"] if "mark" in layer else None


def layers(panel, mark):
    """Layers of a kind of mark, at any depth."""
    inner = [found for layer in panel.get("layer", []) for found in layers(layer, mark)]
    return [panel, *inner] if kind(panel) == mark else inner


def points(layer):
    """Where the rows of a layer stand, by what tells its lines apart."""
    encoding = layer["encoding"]
    apart = [encoding[name] for name in ("color", "detail", "strokeDash") if "field" in encoding.get(name, {})]
    fields = [encoding[axis]["field"] for axis in ("x", "y")]
    groups = {}
    for row in layer["data"]["values"]:
        name = tuple(row[channel["field"]] for channel in apart)
        at = tuple(row[field] for field in fields)
        if None not in at:
            groups.setdefault(name, []).extend(at)
    return groups


def line_points(panel):
    """The points of every drawn line of a panel, x and y in turn, with the digits that are drawn."""
    return {short(line) for layer in layers(panel, "line") for line in points(layer).values()}


def rows_as_points(groups, x, y):
    return {short(rows[[x, y]].to_numpy(float).ravel()) for rows in groups}


def short(values):
    return tuple(float(f"{value:.6g}") for value in values)


def levels(panel):
    """The levels that a panel is held against, by name."""
    rules = [layer for layer in layers(panel, "rule") if layer["encoding"]["y"]["field"] == "rms"]
    return {row["predictor"]: row["rms"] for layer in rules for row in layer["data"]["values"]}


def title(picture):
    return declared(picture)["vconcat"][0]["title"]["text"]


def caption(picture):
    return " ".join(declared(picture)["title"]["text"])


def drawn_lines(picture):
    """Pixels of every line that Vega draws, in the order of drawing."""

    def walk(mark):
        if mark.get("marktype") == "line":
            yield [(item["x"], item["y"]) for item in mark["items"]]
        for item in mark.get("items", []):
            for inner in item.get("items", []):
                yield from walk(inner)

    return list(itertools.chain(walk(vl_convert.vega_to_scenegraph(picture.vega())["scenegraph"])))
