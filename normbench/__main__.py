"""``python -m normbench``: the same as the command ``normbench``, also where its folder is not on the path."""

from normbench.cli import main

if __name__ == "__main__":
    main()
