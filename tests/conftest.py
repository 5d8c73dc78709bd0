"""One thread per test process: pytest-xdist keeps the cores busy, and small matrices lose to thread hand-over."""

from normbench.machine import limit_threads

limit_threads(1)
