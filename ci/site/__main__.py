"""``python -m ci.site``: the whole site in one folder, which opens without a server and without a network."""

from pathlib import Path

import click

from ci.site import ROOT, beside
from ci.site.build import SiteError, build, check_links

_PARTS = ("report", "asv")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--out",
    default=ROOT / "site",
    show_default="site",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the site; what an earlier call left there is replaced.",
)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(_PARTS),
    help="Leave out the interactive page of the boards, or asv's pages. Repeat for both.",
)
@click.option("--links", is_flag=True, help="Ask the other hosts that pages link to, and build nothing.")
def main(*, out: Path, without: tuple[str, ...], links: bool) -> None:
    """Build the documentation, the boards and the benchmarks' history; open index.html in the folder.

    The interactive page is what python -m ci.results wrote; asv's pages need git's history, the branch main, and npm.
    Warnings are errors. Exit codes: 0 done, 1 something is wrong with a page, 2 the call was wrong.
    """
    out, shown = out.resolve(), {part: part not in without for part in _PARTS}
    try:
        if links:
            check_links(beside.page(**shown))
        else:
            _build(out, shown)
    except SiteError as error:
        raise click.ClickException(str(error)) from error


def _build(out: Path, shown: dict[str, bool]) -> None:
    if shown["report"]:
        beside.check_report()
    build(out, beside.page(**shown))
    if shown["report"]:
        beside.copy_report(out)
    if shown["asv"]:
        beside.publish_asv(out)
    click.echo(f"{out / 'index.html'}")


if __name__ == "__main__":
    main(prog_name="python -m ci.site")
