"""The GAN row of Table 1 of arXiv 2002.03432, small and on digits."""

from pathlib import Path

import click

from normbench.cli import options
from normbench.cli.libraries import drawing_libraries
from normbench.cli.reproduce.setting import Setting
from normbench.papers.fromage import gan
from normbench.papers.reproduce import frame_table, published_gan
from normbench.presentation.terminal import console


@click.command("fromage-gan")
@options.seeds(3)
@options.backend(gan.backends())
@options.jobs
@options.out
def fromage_gan(*, seeds: int, backend: str | None, jobs: int | None, out: Path) -> None:
    """A class-conditional GAN on 8 x 8 digits by Fromage, LARS, Adam and SGD, at the paper's learning rates."""
    with drawing_libraries():
        from normbench.papers.fromage import gan_figure as figures
    chosen = options.choose_backends([backend] if backend else [])[0]
    setting = Setting(gan.SOURCE, chosen, seeds, None, options.job_count(jobs), out)
    published = published_gan()
    rows = setting.rows(
        [
            gan.GanJob(chosen, str(optimiser), rate, seed, gan.SIZE)
            for optimiser, rate in published["learning_rate"].items()
            for seed in range(seeds)
        ]
    )
    references = [row for seed in range(seeds) for row in gan.reference_rows(seed=seed)]
    source = setting.origin(chosen, gan.DTYPE)
    title = f"GAN on {source.data} ({source.runs}): Fréchet distance on principal components, not the paper's FID"
    console().print(frame_table(figures.gan_summary(rows, references, published), title=title))
    setting.save([figures.gan(rows, references, source, published, size=gan.SIZE)])
