"""``python -m normbench.cli``: the same as the command ``normbench``."""

from normbench.cli import main

if __name__ == "__main__":
    main()
